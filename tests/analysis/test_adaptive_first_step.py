"""The first step of adaptive rules, eps, and a constant gradient, against hand-written twins."""

import math

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from optlab.analysis.adaptive import analyze_adaptive
from optlab.rules import alpha, g, symbol, t
from tests.analysis.adaptive_rules import ADAGRAD, ADAMAX, AMSGRAD, BUILT, LION, OTHERS, TWINS, at_defaults, label, twin_of

beta1, beta2, eps = (symbol(name) for name in ("beta1", "beta2", "eps"))
CLOSED = [*BUILT, ADAGRAD, AMSGRAD, ADAMAX, LION]  # NAdam's product of rising momenta has no closed form


@pytest.mark.parametrize("rule", [*BUILT, *OTHERS], ids=label)
@given(gradient=st.floats(1e-6, 1e3), sign=st.sampled_from([-1, 1]), start=st.floats(-2, 2))
def test_the_first_step_is_what_the_twin_does(rule, gradient, sign, start):
    twin, options = twin_of(rule)
    after, _ = twin.step(start, twin.initial(options), sign * gradient, 1, 0.01, options)
    stated = at_defaults(rule, analyze_adaptive(rule)["first_step"].expression, alpha=0.01, g=sign * gradient, theta=start)
    assert start + stated == pytest.approx(after, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("rule", CLOSED, ids=label)
@pytest.mark.parametrize("steps", [1, 2, 7, 60])
def test_step_t_under_a_constant_gradient_is_what_the_twin_does(rule, steps):
    twin, options = twin_of(rule)
    x, states = 0.5, twin.initial(options)
    for step in range(1, steps + 1):
        before = x
        x, states = twin.step(x, states, -0.3, step, 0.01, options)
    stated = at_defaults(rule, analyze_adaptive(rule)["constant_gradient"].expression, alpha=0.01, g=-0.3, theta=before, t=steps)
    assert before + stated == pytest.approx(x, rel=1e-10)


def test_adams_first_step_and_what_eps_does_in_both_places():
    found = analyze_adaptive("adam").items()
    assert found["first_step"] == -alpha * g / sp.sqrt(g**2 + eps)
    assert found["first_step_large"] == found["effective_step"] == -alpha * sp.sign(g)
    assert found["eps_effect_inside"] == sp.Abs(g) / sp.sqrt(g**2 + eps)
    assert found["eps_effect_outside"] == sp.Abs(g) / (sp.Abs(g) + eps)
    for place in ("inside", "outside"):
        half = found[f"eps_half_{place}"]
        assert sp.simplify(found[f"eps_effect_{place}"].subs(sp.Abs(g), half).subs(g**2, half**2)) == sp.Rational(1, 2)


def test_the_uncorrected_first_step_is_the_larger_one():
    found = analyze_adaptive("adam")
    assert sp.simplify(found["uncorrected_ratio"].expression - (1 - beta1) / sp.sqrt(1 - beta2)) == 0
    assert found["uncorrected_ratio_default"].expression == sp.sqrt(10)  # 3.162: larger, not much smaller
    twin = TWINS["adam"]
    moved = [twin.step(0.0, [0.0, 0.0], 1e3, 1, 1.0, {"bias_correction": option})[0] for option in ("off", "on")]
    assert moved[0] / moved[1] == pytest.approx(math.sqrt(10), rel=1e-10)


def test_adagrads_steps_under_a_constant_gradient_fade():
    found = analyze_adaptive(ADAGRAD)
    assert found["constant_gradient"].expression == -alpha * g / sp.sqrt(eps + symbol("start") + g**2 * t)
    assert "no rest" in found.reasons["effective_step"]
