"""Numerical tuning against closed forms and a brute-force grid."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from optlab import rules
from optlab.analysis.search import radius_function
from optlab.analysis.tuning import tune
from optlab.errors import InputError, NotLinearError, UnknownNameError
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta

KAPPAS = [2.0, 10.0, 100.0, 1000.0, 1e4]


@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("L", [1.0, 7.5])
def test_sgd_reaches_the_known_optimum(kappa, L):
    mu, tuned = L / kappa, tune("sgd", L / kappa, L)
    assert tuned.alpha == pytest.approx(2 / (mu + L), rel=1e-6)
    assert tuned.rate == pytest.approx((kappa - 1) / (kappa + 1), rel=1e-6)
    assert tuned.parameters == {}
    assert tuned.tuned_rule == rules.get("sgd")


@pytest.mark.parametrize("kappa", KAPPAS)
def test_momentum_reaches_polyaks_optimum(kappa):
    root, tuned = np.sqrt(kappa), tune("momentum", 1 / kappa, 1.0)
    assert tuned.rate == pytest.approx((root - 1) / (root + 1), abs=1e-6)
    assert tuned.alpha == pytest.approx(4 / (1 + 1 / root) ** 2, rel=1e-4)
    assert tuned.parameters["beta"] == pytest.approx(((root - 1) / (root + 1)) ** 2, abs=1e-4)


@pytest.mark.parametrize("kappa", KAPPAS)
def test_nesterov_reaches_the_known_optimum(kappa):
    mu, tuned = 1 / kappa, tune("nesterov", 1 / kappa, 1.0)
    assert tuned.rate == pytest.approx(1 - 2 / np.sqrt(3 * kappa + 1), abs=1e-6)
    assert tuned.alpha == pytest.approx(4 / (3 + mu), rel=1e-4)


@pytest.mark.parametrize("kappa", KAPPAS)
def test_ema_momentum_reaches_polyaks_rate(kappa):
    mu, root, tuned = 1 / kappa, np.sqrt(kappa), tune("ema_momentum", 1 / kappa, 1.0)
    assert tuned.rate == pytest.approx((root - 1) / (root + 1), abs=1e-6)
    assert tuned.alpha == pytest.approx(1 / np.sqrt(mu), rel=1e-4)


@pytest.mark.parametrize("name", ["momentum", "nesterov", "ema_momentum"])
@settings(max_examples=4, derandomize=True, database=None)
@given(kappa=st.floats(1.5, 3000.0), L=st.floats(0.1, 50.0))
def test_a_grid_finds_nothing_better(name, kappa, L):
    tuned = tune(name, L / kappa, L)
    _, radius = radius_function(rules.get(name))
    curvatures = np.geomspace(L / kappa, L, 33)
    rates = np.geomspace(1e-3 / L, 1e3 * np.sqrt(kappa) / L, 200)
    betas = 1 - np.geomspace(1e-4, 1, 200)
    worst = radius(curvatures[:, None, None], rates[None, :, None], betas[None, None, :]).max(0)
    assert worst.min() >= tuned.rate - 1e-6
    at = radius(curvatures, tuned.alpha, tuned.parameters["beta"]).max()
    assert at <= tuned.rate + 1e-9  # the rate that is reported is the one its numbers give


@given(st.sampled_from(["sgd", "momentum", "nesterov", "ema_momentum"]), st.floats(0.01, 10), st.floats(0.001, 5), st.floats(0, 0.99))
def test_the_radius_function_is_the_largest_eigenvalue(name, curvature, rate, b):
    parameters, radius = radius_function(rules.get(name))
    M = {
        "sgd": [[1 - rate * curvature]],
        "momentum": [[1 - rate * curvature, b], [-rate * curvature, b]],
        "nesterov": [[1 - rate * curvature, b - rate * curvature * b], [-rate * curvature, b - rate * curvature * b]],
        "ema_momentum": [[1 - rate * (1 - b) * curvature, -rate * b], [(1 - b) * curvature, b]],
    }[name]
    expected = np.abs(np.linalg.eigvals(np.array(M))).max()
    assert float(radius(curvature, rate, *[b] * len(parameters))) == pytest.approx(expected, abs=1e-7, rel=1e-7)


def test_bound_hyper_parameters_are_not_tuned():
    tuned = tune("momentum(beta=1/2)", 0.01, 1.0)
    assert tuned.parameters == {}
    assert tuned.rate >= tune("momentum", 0.01, 1.0).rate
    assert tuned.alpha == pytest.approx(3 / 1.01, rel=1e-5)  # both ends equally slow while beta is small


def test_a_tuned_rule_carries_its_numbers():
    tuned = tune("momentum", 0.01, 1.0)
    assert float(tuned.tuned_rule.values[symbol("beta")]) == pytest.approx(tuned.parameters["beta"], abs=1e-8)


def test_equal_curvatures_are_solved_in_one_step():
    assert tune("sgd", 2.0, 2.0).rate == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("ends", [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0), (1.0, float("inf")), (0.1, float("nan"))])
def test_curvatures_out_of_order_are_refused(ends):
    with pytest.raises(InputError, match="tuning needs 0 < mu <= L"):
        tune("sgd", *ends)


def test_rules_that_cannot_be_tuned_say_so():
    with pytest.raises(NotLinearError, match="adam"):
        tune("adam", 0.1, 1.0)
    with pytest.raises(UnknownNameError, match="did you mean 'sgd'"):
        tune("sgdd", 0.1, 1.0)
    weight, m = symbol("weight"), symbol("m")
    wide = Rule(
        name="wide", parameters={weight: Parameter(1, within="[0, oo)")}, state={m: State()},
        equations=((m, weight * m + g), (theta, theta - alpha * m)),
    )  # fmt: skip
    assert tune(wide, 0.1, 1.0).rate == pytest.approx((np.sqrt(10) - 1) / (np.sqrt(10) + 1), rel=1e-12)  # Polyak's, in a wider range
    assert tune(wide.with_(weight=sp.Rational(1, 2)), 0.1, 1.0).rate < 1


@pytest.mark.parametrize("kappa", [1e13, 1e16, 2.3e18])
def test_condition_numbers_beyond_double_precision_still_give_a_step_that_moves(kappa):
    """There the rate rounds to 1; the step size is that of the stiff end all the same."""
    assert tune("sgd", 1e6 / kappa, 1e6).alpha == pytest.approx(2e-6, rel=0.02)
