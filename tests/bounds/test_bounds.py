"""Every bound lies above the exact expected loss inside its assumptions, and not idly far above."""

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import optlab as ol
from optlab import bounds, problems, schedules
from optlab.analysis.worst_case import worst_case
from optlab.errors import CheckFailed, InputError, UnknownNameError
from optlab.verify.averaging import averaged_sgd

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
    "convex_sgd_last_iterate": {"a": 0.5, "L": 2.0, "distance2": 1.0, "trace": 1.0},
    "averaged_strongly_convex_sgd": {"mu": 0.1, "G": 3.0},
    "smooth_sgd": {"L": 2.0, "distance2": 1.0, "trace": 1.0},
    "polyak_ruppert": {"alpha": 0.5, "L": 2.0, "distance2": 1.0, "whitened": 5.0},
    "gradient_descent": {"alpha": 0.5, "L": 2.0, "distance2": 1.0},
    "gradient_descent_strongly_convex": {"alpha": 0.9, "mu": 0.1, "L": 2.0, "gap": 1.0},
    "heavy_ball": {"mu": 0.1, "L": 2.0, "gap": 1.0},
    "heavy_ball_strongly_convex": {"alpha": 0.5, "mu": 0.1, "L": 2.0, "gap": 1.0},
    "nesterov_convex": {"L": 2.0, "distance2": 1.0},
    "nesterov_strongly_convex": {"mu": 0.1, "L": 2.0, "gap": 1.0, "distance2": 1.0},
    "saddle_escape": {"alpha": 0.1, "gamma": 0.5, "r": 1.0, "s2": 0.01},
    "saddle_escape_probability": {"alpha": 0.1, "gamma": 0.5, "r": 1.0, "s2": 0.01, "delta": 0.1},
    "perturbed_gradient_descent": {"C": 1.0, "L": 2.0, "gap": 1.0, "eps": 0.1, "rho": 1.0, "delta": 0.1, "n": 10.0},
}
OUTSIDE = [
    ("fixed_step_sgd", {"alpha": 0.51}),
    ("fixed_step_sgd", {"L": 2.1}),
    ("strongly_convex_sgd", {"c": 10.0}),
    ("strongly_convex_sgd", {"mu": 0.05}),
    ("strongly_convex_sgd", {"t0": 39.0}),
    ("convex_sgd", {"a": 0.51}),
    ("convex_sgd_last_iterate", {"a": 0.51}),
    ("smooth_sgd", {"distance2": 0.0}),
    ("polyak_ruppert", {"alpha": 0.51}),
    ("gradient_descent", {"alpha": 0.51}),
    ("gradient_descent_strongly_convex", {"alpha": 1.0}),
    ("heavy_ball", {"mu": 2.1}),
    ("heavy_ball_strongly_convex", {"alpha": 0.51}),
    ("nesterov_strongly_convex", {"mu": 2.1}),
    ("saddle_escape", {"gamma": -0.5}),
    ("saddle_escape_probability", {"delta": 1.0}),
    ("perturbed_gradient_descent", {"eps": 5.0}),
]


def test_the_table_of_good_values_covers_every_bound():
    assert set(GOOD) == set(bounds.names())


@pytest.mark.parametrize("name", bounds.names())
def test_records_are_complete(name):
    record = bounds.get(name)
    assert record.name == name
    assert record.measures
    assert record.reference
    assert record.assumptions
    assert record.schedule in schedules.names()
    assert record.rule in ol.rules.names()
    assert all(record.meaning(symbol) for symbol in record.free_symbols)
    assert set(GOOD[name]) | {"T"} >= {symbol.name for symbol in record.free_symbols}
    value = record.at(GOOD[name])
    assert value.free_symbols == record.expression.free_symbols & {bounds.T}
    at_seven = float(record.at(GOOD[name] | {"T": 7}))
    assert float(value.subs(bounds.T, 7)) == pytest.approx(at_seven)
    assert 0 < at_seven < np.inf
    assert record.value(GOOD[name] | {"T": 7}) == pytest.approx(at_seven, rel=1e-13)
    assert ol.sympify(str(record.expression)) == record.expression  # printed formulas are read back to the same
    assert record.statement().status == record.status


@pytest.mark.parametrize("name", [n for n in bounds.names() if bounds.get(n).functions not in ("saddle", "nonconvex")])
def test_a_bound_of_a_loss_falls_with_the_steps_from_some_step_on(name):
    early, late = (float(bounds.get(name).at(GOOD[name] | {"T": steps})) for steps in (100, 10_000))
    assert late < early or name == "fixed_step_sgd"


@pytest.mark.parametrize("name", bounds.names())
def test_the_proofs_obligations_are_verified(name):
    record = bounds.get(name)
    assert record.check_proof() == len(record.obligations)
    assert bool(record.obligations) or record.status == "stated"


@pytest.mark.parametrize("name", [n for n in bounds.names() if bounds.get(n).obligations])
def test_a_planted_gap_in_a_proof_is_found(name):
    record = bounds.get(name)
    for i, obligation in enumerate(record.obligations):
        spoiled = replace(obligation, expression=-1 - obligation.expression if obligation.at_least else obligation.expression + 1)
        with pytest.raises(CheckFailed, match="its proof has a gap") as caught:
            replace(record, obligations=(*record.obligations[:i], spoiled)).check_proof()
        assert "\n" not in str(caught.value)


def test_inconsistent_records_are_refused():
    record = bounds.get("gradient_descent")
    with pytest.raises(InputError, match="names what attains it"):
        replace(record, attained_by="")
    with pytest.raises(InputError, match="quantity is one of"):
        replace(record, quantity="speed")
    with pytest.raises(InputError, match="without obligations"):
        replace(record, status="proved", obligations=())


def test_the_known_closed_forms():
    """The literature's constants, typed here once more."""
    values = {"mu": 1.0, "L": 9.0, "gap": 1.0, "distance2": 4.0, "trace": 25.0, "G": 3.0, "T": 6}

    def at(name, **more):
        return float(bounds.get(name).at(values | more))

    assert at("gradient_descent", alpha=sp.Rational(1, 9)) == pytest.approx(9 * 4 / (4 * 6 + 2))
    assert at("gradient_descent_strongly_convex", alpha=sp.Rational(2, 10)) == pytest.approx((8 / 10) ** 12)
    assert at("nesterov_convex") == pytest.approx(2 * 9 * 4 / 7**2)
    assert at("nesterov_strongly_convex") == pytest.approx((1 - 1 / 3) ** 6 * (1 + 4 / 2))
    assert at("heavy_ball") == pytest.approx((0.5**6 * (1 + 6 * 1.5)) ** 2)
    assert at("averaged_strongly_convex_sgd") == pytest.approx(2 * 9 / 7)
    assert at("smooth_sgd") == pytest.approx(9 * 4 / 12 + 2 * 5 / np.sqrt(6))


def test_what_a_theorem_fixes_can_be_run():
    values = {"mu": 1, "L": 9, "distance2": 4, "trace": 25, "T": 6}
    assert bounds.get("heavy_ball").tuning_at(values) == {"beta": sp.Rational(1, 4)}
    assert bounds.get("heavy_ball").schedule_at(values) == {"alpha": sp.Rational(1, 4)}
    assert bounds.get("nesterov_strongly_convex").tuning_at(values) == {"beta": sp.Rational(1, 2)}
    assert float(bounds.get("smooth_sgd").schedule_at(values)["alpha"]) == pytest.approx(1 / (9 + 5 * np.sqrt(6) / 2))
    assert bounds.get("averaged_strongly_convex_sgd").schedule_at(values) == {"c": 2, "t0": 2}
    assert bounds.get("convex_sgd").schedule_at({"a": 0.5, "L": 1}) == {"a": 0.5}


# --- attained bounds, on instances written by hand ---


@pytest.mark.parametrize("part", [0.3, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 7, 40])
def test_gradient_descent_is_attained_by_a_huber_function(part, steps):
    L, R = 2.0, 3.0
    width = R / (2 * part * steps + 1)
    x = R
    for _ in range(steps):
        x -= part / L * L * np.clip(x, -width, width)
    loss = L * width * (abs(x) - width / 2) if abs(x) > width else L * x * x / 2
    bound = bounds.get("gradient_descent").at({"alpha": part / L, "L": L, "distance2": R * R, "T": steps})
    assert loss == pytest.approx(float(bound), rel=1e-13)


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_heavy_ball_is_attained_by_one_curvature(steps):
    mu, L = 1.0, 16.0
    record = bounds.get("heavy_ball")
    rule = ol.rules.get("momentum", **record.tuning_at({"mu": 1, "L": 16}))
    rate = record.schedule_at({"mu": 1, "L": 16})["alpha"]
    loss = ol.predict(rule, problems.quadratic(spectrum=[L]), schedule=float(rate), steps=steps, record=[steps]).loss_mean.item()
    assert loss == pytest.approx(float(record.at({"mu": mu, "L": L, "gap": L / 2, "T": steps})), rel=1e-11)


def test_heavy_ball_is_the_exact_worst_case_of_the_rule():
    record = bounds.get("heavy_ball")
    rule = ol.rules.get("momentum", **record.tuning_at({"mu": 1, "L": 16}))
    rate = float(record.schedule_at({"mu": 1, "L": 16})["alpha"])
    for steps in (1, 3, 10, 30):
        found = worst_case(rule, 1.0, 16.0, steps, schedule=rate)
        assert found.value**2 == pytest.approx(float(record.at({"mu": 1.0, "L": 16.0, "gap": 1.0, "T": steps})), rel=1e-10)


def test_polyak_ruppert_is_met_as_the_steps_grow():
    """From the optimum, one curvature: measured/bound = 1 - O(1/(alpha T))."""
    problem = problems.quadratic(spectrum=[1.0], noise=1.0, theta0=0.0)
    loss = ol.predict(averaged_sgd(), problem, schedule=0.5, steps=5000, record=[5000]).loss_mean.item()
    bound = float(bounds.get("polyak_ruppert").at({"alpha": 0.5, "L": 1.0, "distance2": 0.0, "whitened": 1.0, "T": 5000}))
    assert 0.999 < loss / bound <= 1


def test_polyaks_tuning_of_heavy_ball_is_not_covered_beyond_quadratics():
    """The class is no idle word: on Lessard, Recht & Packard's function (2016) the tuned heavy ball cycles."""
    record = bounds.get("heavy_ball")
    L, mu = 25.0, 1.0
    beta, rate = (float(x) for x in (record.tuning_at({"mu": 1, "L": 25})["beta"], record.schedule_at({"mu": 1, "L": 25})["alpha"]))

    def gradient(x):
        return 25 * x if x < 1 else x + 24 if x < 2 else 25 * x - 24

    old = x = 3.3
    for _ in range(300):
        x, old = x - rate * gradient(x) + beta * (x - old), x
    assert abs(x) > 0.1
    assert float(record.at({"mu": mu, "L": L, "gap": 100.0, "T": 300})) < 1e-40


def test_saddle_escape_against_simulation():
    """A million Gaussian paths: the second moment at the time is r^2, within 6.2 standard errors (false alarm 1e-9)."""
    values = {"alpha": 0.1, "gamma": 1.0, "r": 1.0, "s2": 0.04}
    steps = int(np.ceil(float(bounds.get("saddle_escape").at(values))))
    rng, x = np.random.default_rng(0), np.zeros(1_000_000)
    for _ in range(steps):
        x += 0.1 * (x + 0.2 * rng.normal(size=x.shape))
    second, error = np.mean(x**2), np.std(x**2) / 1000
    assert second > 1 - 6.2 * error
    assert second < 1.1**2 + 6.2 * error  # one step earlier it was still inside
    away = float(bounds.get("saddle_escape_probability").at(values | {"delta": float(np.mean(np.abs(x) < 1))}))
    assert steps <= away + 1


@pytest.mark.parametrize(("name", "change"), OUTSIDE)
def test_a_bound_outside_its_conditions_is_refused(name, change):
    with pytest.raises(InputError, match=f"bound {name} does not apply") as caught:
        bounds.get(name).at(GOOD[name] | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "change"), OUTSIDE)
def test_the_compiled_bound_refuses_the_same(name, change):
    with pytest.raises(InputError, match=f"bound {name} does not apply") as caught:
        bounds.get(name).value(GOOD[name] | {"T": 3} | change)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="needs a value for"):
        bounds.get(name).value({})


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
