"""The cycle of period two, iterated by hand."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from optlab import rules
from optlab.analysis.adaptive import analyze_adaptive
from optlab.analysis.adaptive.limit_cycle import schur_cohn
from optlab.rules import alpha, symbol
from optlab.symbols import z
from tests.analysis.adaptive_rules import ADAGRAD, AMSGRAD, LION, TWINS, at_defaults, hand_map, jacobian, number, put

beta1, wd = symbol("beta1"), symbol("wd")


def on_the_cycle(rule, amplitude, curvature):
    """theta and the states before a step, by hand: the average of an alternating gradient is -(1-b1)/(1+b1) of the next one."""
    gradient = curvature * amplitude
    if len(rule.state) == 1:
        return np.array([amplitude, gradient**2])
    b1 = float(rule.values[beta1])
    return np.array([amplitude, -(1 - b1) / (1 + b1) * gradient, gradient**2])


@pytest.mark.parametrize("eps_", ["1e-8", "1e-4", "3/10000"])
@pytest.mark.parametrize("name", ["rmsprop", "rmsprop(eps_placement=outside)", "adam(beta1=1/10)", "adam", "adam(eps_placement=outside)"])
def test_the_cycle_returns_after_two_steps_and_its_multipliers_are_the_roots_of_the_polynomial(name, eps_):
    rate = {"rmsprop": 0.1}.get(name.partition("(")[0], 0.1 if "1/10" in name else 2.0)
    curvature = 1.5
    rule, found = rules.get(name).with_(eps=eps_), analyze_adaptive(name)
    given_ = {"alpha": rate, "lam": curvature}
    amplitude = at_defaults(rule, found["cycle_amplitude"].expression, **given_)
    large = at_defaults(rule, found["cycle_amplitude_large"].expression, **given_)
    assert bool(put(found["cycle_exists"].expression, rule, **given_))
    step, point = hand_map(rule, rate, curvature), on_the_cycle(rule, amplitude, curvature)
    once = step(point)
    assert once[0] == pytest.approx(-amplitude, rel=1e-10)
    np.testing.assert_allclose(step(once), point, rtol=1e-10)
    ratio = amplitude / large
    J = jacobian(lambda p: step(step(p)), point, 1e-5 * np.abs(point))
    polynomial = sp.Poly(put(found["cycle_polynomial"].expression, rule, r=ratio), z)
    stated = np.roots([float(e) for e in polynomial.all_coeffs()]) ** 2
    np.testing.assert_allclose(np.sort(np.abs(np.linalg.eigvals(J))), np.sort(np.abs(stated)), rtol=1e-4, atol=1e-6)


def test_known_amplitudes_and_which_cycles_attract():
    rmsprop, adam, lion = (analyze_adaptive(rule) for rule in ("rmsprop", "adam", LION))
    assert rmsprop["cycle_amplitude_large"].expression == alpha / 2
    assert sp.simplify(adam["cycle_amplitude_large"].expression - alpha * (1 - beta1) / (2 * (1 + beta1))) == 0
    assert lion["cycle_amplitude"].expression == alpha / (2 - alpha * wd)
    assert rmsprop["cycle_margin_default"].expression > 0  # it attracts
    assert adam["cycle_margin_default"].expression < 0  # it repels: Adam bursts instead
    assert lion["cycle_margin_default"].expression == 0  # without weight decay it is one of a family
    assert "does not cycle" in analyze_adaptive(ADAGRAD).reasons["limit_cycle"]
    assert "does not cycle" in analyze_adaptive(AMSGRAD).reasons["limit_cycle"]


def test_rmsprop_run_by_hand_ends_on_its_cycle():
    x, states = 1.0, [0.0]
    for step in range(1, 3001):
        x, states = TWINS["rmsprop"].step(x, states, 2 * x, step, 0.1, {})
    assert abs(x) == pytest.approx(
        number(analyze_adaptive("rmsprop")["cycle_amplitude"].expression, alpha=0.1, lam=2, eps="1e-8"), rel=1e-10
    )


@given(
    st.lists(st.complex_numbers(max_magnitude=1.5, allow_nan=False), min_size=1, max_size=1),
    st.floats(-1.5, 1.5),
    st.sampled_from([1, 2, 3]),
)
def test_schur_and_cohns_conditions_are_the_unit_circle(pair, real, degree):
    roots = [[real], [pair[0], pair[0].conjugate()], [real, pair[0], pair[0].conjugate()]][degree - 1]
    radius = max(abs(root) for root in roots)
    if abs(radius - 1) > 1e-6:
        polynomial = sp.Poly([float(e) for e in np.real(np.poly(roots))], z)
        assert all(e > 0 for e in schur_cohn(polynomial)) == (radius < 1)


def test_why_a_margin_is_missing_is_said():
    for name, why in (("adamw", "depend on alpha too"), ("rmsprop(beta=9/10)", "no symbols"), ("amsgrad", None)):
        found = analyze_adaptive(name)
        assert "cycle_margin_default" not in found.items()
        assert why is None or why in found.reasons["cycle_margin_default"]
