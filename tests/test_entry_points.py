"""A rule from somebody else's installed package works by its name."""

import sys

import numpy as np
import pytest

import optlab as ol
from optlab.errors import UnknownNameError

MODULE = """
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta
q, r = symbol("q"), symbol("r")
HALF = Rule(name="halfway", parameters={q: Parameter("1/2", within="[0, 1)")}, state={r: State(init=0)},
            equations=((r, q * r + g), (theta, theta - alpha * r)))
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with an entry point, as pip would leave it."""
    (tmp_path / "their_rules.py").write_text(MODULE)
    info = tmp_path / "their_rules-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-rules\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[optlab.rules]\nhalfway = their_rules:HALF\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("their_rules", None)


def test_a_packaged_rule_is_listed_derived_and_simulated(installed):
    assert ol.rules.names()[-1] == "halfway"
    rule = ol.rules.get("halfway", q=0.25)
    assert str(ol.analyze(rule).stability_limit) == "5/(2*lam)"  # 2 (1 + q) / lam
    run = ol.simulate("halfway", ol.problems.quadratic(spectrum=[1.0]), schedule=0.1, steps=3, trajectories=1, keep=1, record=[0, 1, 2, 3])
    x, r, seen = 1.0, 0.0, [1.0]
    for _ in range(3):
        r = 0.5 * r + x
        x -= 0.1 * r
        seen.append(x)
    assert np.allclose(run.theta.values[0, :, 0], seen, rtol=1e-14)


def test_without_the_package_the_name_is_unknown():
    with pytest.raises(UnknownNameError, match="unknown rule 'halfway'"):
        ol.rules.get("halfway")
