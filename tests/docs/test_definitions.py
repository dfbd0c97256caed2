"""Pages of definitions: all are written, each with what its record holds."""

import importlib.util
from pathlib import Path

import pytest

from optlab import bounds, norms, rules, schedules

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def definitions():
    spec = importlib.util.spec_from_file_location("definitions", DOCS / "definitions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_a_rule_has_its_equations_picture_derivation_and_sources(name, definitions):
    page = definitions.rule_page(rules.get(name))
    assert page.startswith(f"# {name}\n")
    assert all(f"<code>{symbol}</code>" in page for symbol in rules.get(name).parameters)
    for wanted in (
        "<math display",
        "<svg role=",
        "## Stability",
        "## In other libraries",
        "torch.optim",
        f"optlab/rules/{name}.py",
        "def update",
    ):
        assert wanted in page


def test_a_rule_without_a_linear_step_says_so(definitions):
    from optlab.rules import Rule, State, alpha, g, symbol, theta

    m = symbol("m")
    cubed = Rule(name="cubed", parameters={}, state={m: State()}, equations=((m, g**3), (theta, theta - alpha * m)))
    assert "No picture: " in definitions.picture(cubed)


def test_the_others_have_pages(definitions):
    assert "<math" in definitions.schedule_page(schedules.get("cosine"))
    assert "reverse chain rule" in definitions.norm_page("layer_norm")
    assert bounds.get("convex_sgd").reference in definitions.bound_page("convex_sgd")
    assert {"batch_norm", "layer_norm", "rms_norm"} == set(norms.names())


def test_a_second_build_writes_nothing(definitions, tmp_path):
    definitions.save(tmp_path / "page.md", "text")
    before = (tmp_path / "page.md").stat().st_mtime_ns
    definitions.save(tmp_path / "page.md", "text")
    assert (tmp_path / "page.md").stat().st_mtime_ns == before
