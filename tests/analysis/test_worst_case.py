"""The exact worst case over a spectrum, against a fine grid, exact algebra and closed forms."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from optlab import rules
from optlab.analysis.worst_case import shrinkage_polynomial, worst_case
from optlab.errors import InputError, NotLinearError
from optlab.symbols import alpha, lam

GRID = np.linspace(0, 1, 20001)


def shrinkage(name, beta, rate, steps, curvatures):
    """theta_n / theta_0 by hand-written two-line rules."""
    theta, v = np.ones_like(curvatures), np.zeros_like(curvatures)
    for _ in range(steps):
        at = theta + beta * v if name == "nesterov" else theta
        v = beta * v - rate * curvatures * at
        theta = theta + v
    return theta


@given(
    st.sampled_from(["momentum", "nesterov"]), st.floats(0, 0.95), st.floats(0.01, 1.8), st.integers(1, 25), st.floats(0, 0.99),
    st.sampled_from(["distance", "loss"]),
)  # fmt: skip
def test_no_curvature_of_a_fine_grid_is_worse(name, beta, rate, steps, mu, of):
    found = worst_case(rules.get(name, beta=beta), mu, 1.0, steps, schedule=rate, of=of)
    lams = mu + (1 - mu) * GRID
    q = shrinkage(name, beta, rate, steps, np.append(lams, found.curvature))
    values = np.abs(q) if of == "distance" else np.append(lams, found.curvature) * q**2 / 2
    assert mu <= found.curvature <= 1
    assert values[-1] == pytest.approx(found.value, rel=1e-9, abs=1e-300)
    assert found.value >= values.max() * (1 - 1e-9)


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
@pytest.mark.parametrize("of", ["distance", "loss"])
def test_against_exact_critical_points(steps, of):
    """Every real zero of the derivative of the exact polynomial, isolated by SymPy."""
    rule = rules.get("momentum", beta="3/10")
    q = shrinkage_polynomial(rule, steps).as_expr().subs(alpha, sp.Rational(3, 2))
    measured = q if of == "distance" else lam * q**2 / 2
    inside = (
        [root for root in sp.Poly(measured, lam).diff(lam).real_roots() if sp.Rational(1, 10) <= root <= 1]
        if sp.degree(measured, lam) > 1
        else []
    )
    values = [abs(sp.N(measured.subs(lam, sp.N(point, 40)), 30)) for point in (sp.Rational(1, 10), sp.Integer(1), *inside)]
    assert worst_case(rule, 0.1, 1.0, steps, schedule=1.5, of=of).value == pytest.approx(float(max(values)), rel=1e-13)


def test_tuned_gradient_descent_shrinks_by_its_rate():
    found = worst_case("sgd", 0.01, 1.0, 7, schedule=2 / 1.01)
    assert found.value == pytest.approx((0.99 / 1.01) ** 7, rel=1e-12)


def test_loss_of_gradient_descent_on_convex_quadratics():
    """mu = 0, alpha = 1/L: max of lam (1 - lam)^(2 n)/2 is at lam = 1/(2 n + 1)."""
    found = worst_case("sgd", 0.0, 1.0, 4, schedule=1.0, of="loss")
    assert found.curvature == pytest.approx(1 / 9, rel=1e-9)
    assert found.value == pytest.approx((8 / 9) ** 8 / 18, rel=1e-13)


def test_schedules_and_time_dependent_rules():
    rates = 0.5 / np.sqrt(np.arange(1, 6))
    found = worst_case("sgd", 0.2, 1.0, 5, schedule="inverse_sqrt(a=0.5)")
    assert found.value == pytest.approx(np.prod(1 - rates * 0.2), rel=1e-13)
    assert found.curvature == 0.2


def test_one_curvature():
    assert worst_case("sgd", 0.5, 0.5, 3, schedule=1.0).value == 0.125


def test_shrinkage_polynomial_of_the_heavy_ball():
    beta = sp.Symbol("beta", real=True)
    expected = 1 - alpha * lam * (2 + beta) + alpha**2 * lam**2
    assert sp.expand(shrinkage_polynomial("momentum", 2).as_expr() - expected) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mu": 2.0}, "0 <= mu <= L"),
        ({"steps": 0}, "at least 1"),
        ({"steps": 1.5}, "whole number"),
        ({"of": "speed"}, "'distance' or 'loss'"),
    ],
)
def test_bad_input(options, message):
    given_ = {"mu": 0.1, "L": 1.0, "steps": 2, "schedule": 0.5} | options
    with pytest.raises(InputError, match=message) as caught:
        worst_case("sgd", **given_)
    assert "\n" not in str(caught.value)


def test_adaptive_rules_have_none():
    with pytest.raises(NotLinearError):
        worst_case("adam", 0.1, 1.0, 2, schedule=0.1)
