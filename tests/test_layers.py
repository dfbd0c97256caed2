"""What the layout of the package promises, read from its files."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import optlab

ROOT = Path(optlab.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if "__pycache__" not in path.parts)
DEFINITIONS = [path for path in FILES if path.relative_to(ROOT).parts[0] in ("rules", "schedules", "problems", "bounds", "norms", "layers")]
HEAVY = {"numpy", "numba", "scipy", "xarray", "math"}


def imported(path):
    """The top-level names of everything a file imports, at any depth in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def relative(path):
    return str(path.relative_to(ROOT))


def test_there_is_something_to_look_at():
    assert len(FILES) > 60
    assert {path.parent.name for path in DEFINITIONS} == {"rules", "schedules", "problems", "bounds", "norms", "layers"}


@pytest.mark.parametrize("path", DEFINITIONS, ids=relative)
def test_definitions_hold_expressions_only(path):
    heavy = HEAVY - ({"math"} if path.parent.name == "problems" else set())  # problems check that data are finite
    assert heavy.isdisjoint(name.split(".")[0] for name in imported(path))


@pytest.mark.parametrize("path", [p for p in FILES if p.parent.name in ("rules", "schedules") and p.name != "__init__.py"], ids=relative)
def test_a_rule_or_schedule_is_one_short_file(path):
    """A screen of mathematics, and at most as much again of dialects."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 70
    found = set(imported(path)) - {"__future__"}
    own = f"optlab.{path.parent.name}"
    assert all(name == "sympy" or name == own or name.startswith(own + ".") for name in found), found


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_files_can_be_read_in_one_sitting(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 500
    assert not any(name.startswith(".") for name in imported(path))  # absolute imports only


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.name != "_version.py" and p.stat().st_size and "templates" not in p.parts], ids=relative
)
def test_every_file_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_public_names_exist_and_are_documented():
    assert set(optlab.__all__) <= set(dir(optlab))
    for name in optlab.__all__:
        value = getattr(optlab, name)
        assert name.startswith("__") or value.__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = optlab.nothing


def test_every_module_imports():
    for module in pkgutil.walk_packages([str(ROOT)], "optlab."):
        if "templates" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def test_tests_and_oracles_stay_apart():
    """The hand-written twins import nothing of the package they are held against."""
    twins = sorted((Path(__file__).parent / "oracles").glob("*.py"))
    assert len(twins) > 5
    for path in twins:
        assert not any(name.split(".")[0] == "optlab" for name in imported(path)), path
