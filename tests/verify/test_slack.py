"""Slack of every bound: at most 1, known where it is attained, and a wrong bound is caught."""

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

import optlab as ol
from optlab import bounds, problems
from optlab.errors import CheckFailed, InputError, UnsupportedError
from optlab.symbols import symbol
from optlab.verify.averaging import averaged_sgd
from optlab.verify.instances import draw_functions, run_noiseless
from optlab.verify.slack import measure_slack

EXPLICIT = [name for name in bounds.names() if bounds.get(name).explicit]

#: The largest ratio that the default draws reach, from below: a bound made looser, or draws made tamer, show.
REACHED = {
    "gradient_descent": 1 - 1e-12,
    "gradient_descent_strongly_convex": 1 - 1e-12,
    "heavy_ball": 1 - 1e-12,
    "heavy_ball_strongly_convex": 0.99,
    "nesterov_convex": 0.55,
    "nesterov_strongly_convex": 0.8,
    "fixed_step_sgd": 0.99,
    "strongly_convex_sgd": 0.9,
    "averaged_strongly_convex_sgd": 0.4,
    "convex_sgd": 0.85,
    "convex_sgd_last_iterate": 0.45,
    "smooth_sgd": 0.4,
    "polyak_ruppert": 0.95,
    "saddle_escape": 0.99,
    "saddle_escape_probability": 0.99,
}


def test_the_table_covers_every_explicit_bound():
    assert set(REACHED) == set(EXPLICIT)


@pytest.mark.parametrize("name", EXPLICIT)
def test_every_bound_holds_and_is_nearly_reached(name):
    found = measure_slack(name)
    assert found.draws == 105
    assert REACHED[name] <= found.largest <= 1 + 1e-12
    assert 0 < found.median <= found.largest
    if bounds.get(name).tight and bounds.get(name).quantity == "loss":
        assert found.largest == pytest.approx(1, abs=1e-11)
    assert str(found).startswith(name)
    assert "\n" not in str(found)


@pytest.mark.parametrize("name", ["gradient_descent", "polyak_ruppert", "saddle_escape"])
def test_the_same_seed_gives_the_same_slack(name):
    assert measure_slack(name, draws=8, rng=3) == measure_slack(name, draws=8, rng=3)
    assert measure_slack(name, draws=8, rng=3) != measure_slack(name, draws=8, rng=4)


@pytest.mark.parametrize("name", EXPLICIT)
def test_a_bound_made_too_small_is_caught(name):
    record = bounds.get(name)
    with pytest.raises(CheckFailed, match=f"bound {name} is violated") as caught:
        measure_slack(replace(record, expression=record.expression * (0.99 if REACHED[name] > 0.999 else REACHED[name] * 0.9)))
    assert "\n" not in str(caught.value)


def test_what_has_no_constant_has_no_slack():
    with pytest.raises(UnsupportedError, match="constant that is not given"):
        measure_slack("perturbed_gradient_descent")


@pytest.mark.parametrize("draws", [0, 2.5])
def test_draws_are_checked(draws):
    with pytest.raises(InputError, match="whole number"):
        measure_slack("gradient_descent", draws=draws)


@pytest.mark.parametrize("name", ["gradient_descent", "heavy_ball_strongly_convex", "nesterov_convex", "nesterov_strongly_convex"])
def test_noiseless_runs_agree_with_exact_prediction_on_quadratics(name):
    """The loop over the rule's equations here, and the transition matrices of ``predict``."""
    record, values = bounds.get(name), {"mu": np.array([0.25]), "L": np.array([4.0]), "alpha": np.array([0.125])}
    functions = draw_functions("quadratic", values["mu"], values["L"], np.random.default_rng(0))
    rates = np.array([0.125])
    numbers = {symbol("mu"): sp.Rational(1, 4), symbol("L"): sp.Integer(4), symbol("alpha"): sp.Rational(1, 8)}
    tuning = {key: e.xreplace(numbers) for key, e in record.tuning.items()}
    base = ol.rules.get(record.rule)
    rule = base.extend(
        equations=[(left, right.xreplace(tuning)) for left, right in base.equations],
        gradient_at=base.gradient_at.xreplace(tuning), parameters={}, variants={}, dialects={},
    )  # fmt: skip
    problem = problems.quadratic(spectrum=functions.base[0].tolist(), theta0=functions.start[0].tolist())
    exact = ol.predict(rule, problem, schedule=0.125, steps=12, record=range(13)).loss_mean.values
    np.testing.assert_allclose(run_noiseless(record, functions, values, rates, 12)[:, 0], exact, rtol=1e-10)


def test_gradients_of_the_drawn_functions_are_those_of_their_losses():
    L = np.full(30, 4.0)
    functions = draw_functions("convex", 0 * L, L, np.random.default_rng(1))
    x = np.random.default_rng(2).normal(size=functions.start.shape)
    for i in range(3):
        step = np.zeros(3)
        step[i] = 1e-6
        slope = (functions.loss(x + step) - functions.loss(x - step)) / 2e-6
        np.testing.assert_allclose(functions.gradient(x)[:, i], slope, atol=1e-5)


@pytest.mark.parametrize("kind", ["quadratic", "strongly_convex", "convex"])
def test_drawn_functions_are_in_their_class(kind):
    mu, L = np.full(60, 0.1), np.full(60, 2.0)
    functions = draw_functions(kind, mu if kind != "convex" else 0 * mu, L, np.random.default_rng(5))
    assert np.all(functions.base >= (0.1 if kind != "convex" else 0))
    assert np.all(functions.base + functions.extra <= 2 * (1 + 1e-15))
    assert np.all(functions.extra >= 0)
    assert kind != "quadratic" or not functions.extra.any()


def test_the_averaged_rule_averages():
    """Against a plain loop with the same noise-free gradients, weights 1 .. T."""
    t = ol.sympify("t")
    found = ol.predict(averaged_sgd(2 / (t + 1)), problems.quadratic(spectrum=[1.0]), schedule=0.3, steps=6, record=[6]).loss_mean.item()
    iterates = 0.7 ** np.arange(6)
    assert found == pytest.approx(np.average(iterates, weights=np.arange(1, 7)) ** 2 / 2, rel=1e-13)
