"""Every bound lies above the exact expected loss inside its assumptions, and not idly far above."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import optlab as ol
from optlab import bounds, problems, schedules
from optlab.errors import InputError, UnknownNameError

STEPS = 200


@st.composite
def settings_of(draw):
    """A quadratic, its noise per step, and the numbers that every bound is in."""
    spectrum = draw(st.lists(st.floats(0.02, 4.0), min_size=1, max_size=4))
    noise, batch = draw(st.sampled_from([0.0, 0.1, 1.0, 5.0])), draw(st.integers(1, 32))
    theta0 = draw(st.lists(st.floats(-3, 3), min_size=len(spectrum), max_size=len(spectrum)))
    problem = problems.quadratic(spectrum=spectrum, noise=noise, theta0=theta0)
    values = {
        "mu": min(spectrum), "L": max(spectrum), "trace": len(spectrum) * noise**2 / batch,
        "gap": sum(lam * x * x for lam, x in zip(spectrum, theta0, strict=True)) / 2, "distance2": sum(x * x for x in theta0),
    }  # fmt: skip
    return problem, batch, values


def exact(problem, batch, schedule):
    found = ol.predict("sgd", problem, schedule=schedule, steps=STEPS, batch=batch, record=range(STEPS + 1), coordinates=False)
    return found.loss_mean.values


def curve(name, values):
    formula = bounds.get(name).at(values)
    return sp.lambdify(bounds.T, formula, "numpy")(np.arange(1.0, STEPS + 1)) * np.ones(STEPS)


def holds(bound, loss):
    assert np.all(bound >= loss * (1 - 1e-12) - 1e-300)


@given(settings_of(), st.floats(0.01, 1.0))
def test_fixed_step_sgd_is_a_bound(drawn, part):
    problem, batch, values = drawn
    rate = part / values["L"]
    holds(curve("fixed_step_sgd", values | {"alpha": rate}), exact(problem, batch, rate)[1:])


@given(settings_of(), st.floats(1.01, 20.0), st.floats(1.0, 5.0))
def test_strongly_convex_sgd_is_a_bound(drawn, scaled, later):
    problem, batch, values = drawn
    c = scaled / values["mu"]
    t0 = later * c * values["L"]
    schedule = schedules.get("inverse_time", c=c, t0=t0 * (1 + 1e-12))
    holds(curve("strongly_convex_sgd", values | {"c": c, "t0": t0 * (1 + 1e-12)}), exact(problem, batch, schedule)[1:])


def averaged(problem, batch, a):
    """The average of the expected losses before each step, weighted by alpha: what the convex bound is of."""
    loss, rates = exact(problem, batch, schedules.get("inverse_sqrt", a=a)), a / np.sqrt(np.arange(1, STEPS + 1))
    return np.cumsum(rates * loss[:-1]) / np.cumsum(rates)


@given(settings_of(), st.floats(0.01, 1.0))
def test_convex_sgd_bounds_the_weighted_average(drawn, part):
    problem, batch, values = drawn
    a = part / values["L"]
    holds(curve("convex_sgd", values | {"a": a}), averaged(problem, batch, a))


# --- how tight: a bound halved or a thousand times too large must show ---


def slack(bound, loss, at=-1):
    return float(bound[at] / loss[at])


def test_fixed_step_sgd_is_tight_without_noise():
    """One curvature, no noise: the loss shrinks by (1 - alpha mu)^2 where the bound has (1 - alpha mu)."""
    values = {"mu": 1.0, "L": 1.0, "trace": 0.0, "gap": 0.5, "alpha": 0.001}
    found = slack(curve("fixed_step_sgd", values), exact(problems.quadratic(spectrum=[1.0]), 1, 0.001)[1:], 0)
    assert found == pytest.approx(1 / 0.999, rel=1e-9)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_slack_of_the_noise_floor_is_known(rate):
    """One curvature: the floor is alpha s2 / (2 (2 - alpha)), and the bound's alpha s2 / 2: a factor 2 - alpha."""
    values = {"mu": 1.0, "L": 1.0, "trace": 4.0, "gap": 0.0, "alpha": rate}
    problem = problems.quadratic(spectrum=[1.0], noise=2.0, theta0=0.0)
    assert float(bounds.get("fixed_step_sgd").at(values | {"T": 10**6})) == pytest.approx(rate * 4 / 2, rel=1e-9)
    found = ol.predict("sgd", problem, schedule=rate, steps=5000, record=[5000]).loss_mean.item()
    assert float(bounds.get("fixed_step_sgd").at(values | {"T": 5000})) / found == pytest.approx(2 - rate, rel=1e-6)


def test_slack_of_strongly_convex_sgd_is_small_on_one_curvature():
    """c = 2/mu on one curvature: the loss falls like s2 2 / (3 T), the bound like 2 s2 / T: within a factor 4."""
    values = {"mu": 1.0, "L": 1.0, "trace": 1.0, "gap": 0.5, "c": 2.0, "t0": 2.0}
    problem = problems.quadratic(spectrum=[1.0], noise=1.0)
    found = slack(curve("strongly_convex_sgd", values), exact(problem, 1, schedules.get("inverse_time", c=2, t0=2))[1:])
    assert 1.5 < found < 4.5


def test_slack_of_convex_sgd_is_within_an_order_of_magnitude():
    values = {"L": 1.0, "trace": 4.0, "distance2": 4.0, "a": 1.0}
    problem = problems.quadratic(spectrum=[0.001, 0.01, 0.1, 1.0], noise=1.0)
    found = slack(curve("convex_sgd", values), averaged(problem, 1, 1.0))
    assert 1 < found < 12


def test_convex_sgd_is_met_by_a_flat_direction():
    """Without noise, one step, one curvature a = 1/L: gap = 1/2 d2, bound = d2 / (4 (sqrt 2 - 1)): a factor 1.207."""
    values = {"L": 1.0, "trace": 0.0, "distance2": 1.0, "a": 1.0, "T": 1}
    assert float(bounds.get("convex_sgd").at(values)) / 0.5 == pytest.approx((np.sqrt(2) + 1) / 2)


def test_the_convex_bound_is_of_the_average_and_not_of_the_last_loss():
    """The record says so, and the difference is real: from the optimum of a flat start the last loss rises above early averages."""
    record = bounds.get("convex_sgd")
    assert "alpha-weighted average" in record.measures
    problem = problems.quadratic(spectrum=[1.0], theta0=1.0)
    loss, mean = exact(problem, 1, schedules.get("inverse_sqrt", a=0.5)), averaged(problem, 1, 0.5)
    assert mean[0] == loss[0]
    rates = 0.5 / np.sqrt(np.arange(1, 4))
    assert mean[2] == pytest.approx(np.average(loss[:3], weights=rates), rel=1e-14)


# --- the records ---

GOOD = {
    "fixed_step_sgd": {"alpha": 0.5, "mu": 0.1, "L": 2.0, "gap": 1.0, "trace": 1.0},
    "strongly_convex_sgd": {"c": 20.0, "t0": 40.0, "mu": 0.1, "L": 2.0, "gap": 1.0, "trace": 1.0},
    "convex_sgd": {"a": 0.5, "L": 2.0, "distance2": 1.0, "trace": 1.0},
}
OUTSIDE = [
    ("fixed_step_sgd", {"alpha": 0.51}),
    ("fixed_step_sgd", {"L": 2.1}),
    ("strongly_convex_sgd", {"c": 10.0}),
    ("strongly_convex_sgd", {"mu": 0.05}),
    ("strongly_convex_sgd", {"t0": 39.0}),
    ("convex_sgd", {"a": 0.51}),
]


def test_the_table_of_good_values_covers_every_bound():
    assert set(GOOD) == set(bounds.names())


@pytest.mark.parametrize("name", bounds.names())
def test_records_are_complete(name):
    record = bounds.get(name)
    assert record.name == name
    assert record.schedule in schedules.names()
    assert record.measures
    assert record.reference
    assert record.assumptions
    assert record.tight is False
    value = record.at(GOOD[name])
    assert value.free_symbols == {bounds.T}
    assert float(value.subs(bounds.T, 7)) == pytest.approx(float(record.at(GOOD[name] | {"T": 7})))
    assert ol.sympify(str(record.expression)).free_symbols  # printed formulas can be read


@pytest.mark.parametrize(("name", "change"), OUTSIDE)
def test_a_bound_outside_its_conditions_is_refused(name, change):
    with pytest.raises(InputError, match=f"bound {name} does not apply") as caught:
        bounds.get(name).at(GOOD[name] | change)
    assert "\n" not in str(caught.value)


def test_outside_its_conditions_the_inequality_does_fail():
    """So the conditions are not idle: beyond 1/L the fixed-step bound is broken by a real iteration."""
    values = {"mu": 1.0, "L": 1.0, "trace": 0.0, "gap": 0.5}
    formula = bounds.get("fixed_step_sgd").expression.subs(dict.fromkeys([bounds.trace], 0))
    broken = formula.subs({s: {"alpha": 2.5, "mu": 1.0, "L": 1.0, "gap": 0.5}.get(s.name, s) for s in formula.free_symbols})
    loss = exact(problems.quadratic(spectrum=[1.0]), 1, 2.5)
    assert float(broken.subs(bounds.T, 3)) < loss[3]
    with pytest.raises(InputError):
        bounds.get("fixed_step_sgd").at(values | {"alpha": 2.5})


def test_unknown_names_are_suggested():
    with pytest.raises(UnknownNameError, match="did you mean 'convex_sgd'"):
        bounds.get("convex_sdg")


@pytest.mark.parametrize("defect", [0.25, 1e3])
def test_a_wrong_bound_would_be_noticed(defect):
    """The checks above, pointed at a planted defect."""
    values = {"mu": 1.0, "L": 1.0, "trace": 1.0, "gap": 0.5, "c": 2.0, "t0": 2.0}
    problem = problems.quadratic(spectrum=[1.0], noise=1.0)
    bound = defect * curve("strongly_convex_sgd", values)
    loss = exact(problem, 1, schedules.get("inverse_time", c=2, t0=2))[1:]
    with pytest.raises(AssertionError):  # noqa: PT012
        holds(bound, loss)
        assert slack(bound, loss) < 4.5
