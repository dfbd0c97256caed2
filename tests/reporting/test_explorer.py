"""What the page computes against what Python derives: the same script, run by a JavaScript engine."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from py_mini_racer import MiniRacer

import optlab as ol
from optlab.reporting.explorer import RULES, library, panel
from optlab.symbols import L, alpha, lam, mu, s2

SETTINGS = st.fixed_dictionaries(
    {"alpha": st.floats(1e-3, 3), "beta": st.floats(0, 0.995), "kappa": st.floats(1, 1e4), "sigma": st.floats(1e-4, 1)}
)


@pytest.fixture(scope="module")
def script():
    engine = MiniRacer()
    engine.eval(library() + "; 0")
    return lambda expression: json.loads(engine.eval(f"JSON.stringify({expression})"))


def bound(name, setting):
    rule = ol.rules.get(name)
    return rule.with_(beta=setting["beta"]) if "beta" in {str(p) for p in rule.parameters} else rule


@given(st.sampled_from(RULES), SETTINGS)
def test_the_curve_is_the_exact_prediction(script, name, setting):
    found = np.array(script(f"Explorer.expectedLoss({name!r}, {json.dumps(setting)}, 40)"), float)
    problem = ol.problems.quadratic(spectrum=[1 / setting["kappa"], 1.0], noise=setting["sigma"])
    exact = ol.predict(bound(name, setting), problem, schedule=setting["alpha"], steps=40, record=list(range(41))).loss_mean.values
    np.testing.assert_allclose(found, exact, rtol=1e-9)


@given(st.sampled_from(RULES), SETTINGS)
def test_roots_floor_and_limit_are_the_derived_ones(script, name, setting):
    found = script(f"Explorer.facts({name!r}, {json.dumps(setting)})")
    mode = ol.analyze(name)
    numbers = {alpha: setting["alpha"], s2: setting["sigma"] ** 2} | {
        p: setting["beta"] for p in ol.rules.get(name).parameters if str(p) == "beta"
    }
    inside = found["radius"] < 1 - 1e-6  # at the limit itself the floor is a number over zero
    floor = 0.0
    for end in found["ends"]:
        at = numbers | {lam: end["lam"]}
        roots = np.sort_complex(np.linalg.eigvals(np.array(mode.transition_matrix.subs(at), float)))
        theirs = np.sort_complex(np.array([complex(*pair) for pair in end["roots"]]))
        # a double root moves with the square root of a rounding error, so the polynomials are compared
        np.testing.assert_allclose(np.poly(theirs), np.poly(roots), rtol=1e-9, atol=1e-12)
        assert end["limit"] == pytest.approx(float(mode.stability_limit.subs(at)), rel=1e-9)
        floor += end["lam"] / 2 * float(mode.stationary_variance.subs(at)) if inside else 0.0
    if inside:
        assert found["floor"] == pytest.approx(floor, rel=1e-9)
    assert found["stable"] == (found["radius"] < 1)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("kappa", [1.5, 100.0, 1e4])
def test_the_button_sets_the_minimax_tuning(script, name, kappa):
    rate, beta = script(f"Explorer.best({name!r}, {kappa})")
    tuned = ol.analyze(name).optimal().at(1 / kappa, 1.0)
    assert rate == pytest.approx(tuned["alpha"], rel=1e-9)
    assert beta == pytest.approx(tuned.get("beta", 0.0), rel=1e-9)
    radius = script(f"Explorer.facts({name!r}, {{alpha: {rate!r}, beta: {beta!r}, kappa: {kappa}, sigma: 0}}).radius")
    assert radius == pytest.approx(tuned["rate"], abs=1e-6)  # a double root
    assert str(ol.analyze(name).optimal().alpha.free_symbols <= {mu, L}) == "True"


def test_the_panel_asks_for_nothing_from_outside():
    page = str(panel())
    assert "http" not in page
    assert "<noscript>" in page
    assert page.count("<option>") == len(RULES)
