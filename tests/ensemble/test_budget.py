"""The best peak against scans and closed forms, the derivative against differences, and the final loss by batch size."""

import math

import numpy as np
import pytest
import sympy as sp

import optlab as ol
from optlab import problems, schedules
from optlab.analysis.schedules import area
from optlab.ensemble.bind import learning_rates
from optlab.ensemble.budget import FAMILIES, Family, FinalLoss, best_peak, final_loss
from optlab.ensemble.moments import Moments
from optlab.errors import InputError, NotLinearError, UnsupportedError


def table(sampling="replacement"):
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(12, 2)) * [1.0, 0.4]
    return problems.least_squares(rows, rows @ [1.0, -2.0] + 0.3 * rng.normal(size=12), sampling=sampling)


PROBLEMS = {
    "quadratic": lambda: problems.quadratic(condition_number=20, dim=3, noise=0.3),
    "replacement": table,
    "subset": lambda: table("subset"),
    "line_fit": lambda: problems.line_fit(label_noise=0.5),
}


def predicted(rule, problem, schedule, steps, batch):
    return ol.predict(rule, problem, schedule=schedule, steps=steps, batch=batch, record=[steps]).loss_mean.item()


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("rule", ["sgd", "momentum(beta=0.5)"])
def test_no_other_peak_does_better(rule, name, problem):
    made = PROBLEMS[problem]()
    found = best_peak(rule, made, schedule=name, steps=40, batch=2)
    assert predicted(rule, made, found.schedule, 40, 2) == pytest.approx(found.final_loss, rel=1e-13)
    assert abs(found.elasticity) <= 1e-10
    assert abs(found.peak * found.derivative - found.elasticity * found.excess) <= 1e-15 * found.excess
    family = Family(name, 40)
    for ratio in [*np.geomspace(1e-3, 30, 40), 1 - 1e-4, 1 + 1e-4, 0.99, 1.01]:
        other = predicted(rule, made, family.schedule(float(found.peak * ratio)), 40, 2)
        assert not other < found.final_loss * (1 - 1e-9)
    assert found.area == pytest.approx(float(sp.N(area(found.schedule, 40), 20)), rel=1e-13)
    assert found.area == pytest.approx(math.fsum(learning_rates(found.schedule, 40)), rel=1e-13)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_derivative_is_that_of_differences(name, problem):
    made = PROBLEMS[problem]()
    loss = FinalLoss(Moments(ol.rules.get("nesterov", beta="1/2"), made, 2), Family(name, 30))
    for peak in (0.05, 0.3):
        value, slope = loss.both(peak)
        assert value == pytest.approx(loss.value(peak), rel=1e-13)
        h = 1e-3 * peak
        f = [loss.value(peak + j * h) for j in (-2, -1, 1, 2)]
        assert slope == pytest.approx((f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h), rel=1e-7, abs=1e-9)


def test_one_curvature_in_closed_form():
    """SGD at a constant rate: E = lam/2 (r^(2T) + s2 a^2 (1 - r^(2T)) / (1 - r^2)), r = 1 - a lam."""
    a, lam, s2, steps = sp.Rational(7, 20), sp.Rational(1, 2), sp.Rational(1, 4), 25
    x = sp.Symbol("x")
    r = 1 - x * lam
    excess = lam / 2 * (r ** (2 * steps) + s2 * x**2 * sum(r ** (2 * j) for j in range(steps)))
    slope = sp.Poly(sp.expand(sp.diff(excess, x)), x)
    problem = problems.quadratic(spectrum=[0.5], noise=0.5)
    loss = FinalLoss(Moments(ol.rules.get("sgd"), problem, 1), Family("constant", steps))
    assert loss.both(float(a))[1] == pytest.approx(float(slope.eval(a)), rel=1e-12)
    roots = [float(root) for root in slope.real_roots() if 0 < root < 4]
    best = min(roots, key=lambda root: excess.subs(x, root))
    found = best_peak("sgd", problem, schedule="constant", steps=steps)
    assert found.peak == pytest.approx(best, rel=1e-10)


def test_several_minima_are_told_apart():
    """Without noise, two steps at rates a and a/sqrt(2): the error vanishes at two peaks on one curvature; both are seen on two."""
    problem = problems.quadratic(spectrum=[1.0, 0.9])
    found = best_peak("sgd", problem, schedule="inverse_sqrt", steps=2)
    assert len(found.minima) == 2
    assert found.minima[0][1] < found.minima[1][1]
    assert found.minima[0] == (found.peak, found.excess)


def test_a_schedule_of_two_tied_options():
    problem = problems.quadratic(condition_number=10, dim=2, noise=0.5)
    found = best_peak("sgd", problem, schedule="inverse_time", steps=50, options={"c": "peak", "t0": "2*peak"})
    assert float(found.schedule.at(0)) == pytest.approx(0.5)
    for c in np.linspace(0.5, 2, 61) * found.peak:
        other = schedules.get("inverse_time", c=float(c), t0=float(2 * c))
        assert predicted("sgd", problem, other, 50, 1) >= found.final_loss * (1 - 1e-12)


def test_tiny_steps_where_noise_rules():
    problem = problems.quadratic(spectrum=[1.0], noise=1e4, theta0=1.0)
    found = best_peak("sgd", problem, schedule="constant", steps=3)
    assert found.peak == pytest.approx(1e-8, rel=1e-3)
    assert found.excess < 0.5


def test_additive_noise_is_affine_in_one_over_the_batch():
    problem = problems.quadratic(condition_number=10, dim=3, noise=0.5, theta0="normal")
    schedule = schedules.get("cosine", peak=0.5, steps=30)
    found = final_loss("momentum(beta=0.8)", problem, schedule=schedule, steps=30, batches=[1, 3, 10])
    formula = ol.sympify(found.attrs["formula"])
    for batch, value in zip([1, 3, 10], found.loss.values, strict=True):
        exact = predicted("momentum(beta=0.8)", problem, schedule, 30, batch)
        assert value == pytest.approx(exact, rel=1e-13)
        assert float(formula.subs(ol.symbols.symbol("B"), batch)) == pytest.approx(exact, rel=1e-13)
    critical = found.attrs["critical_batch"]
    assert found.attrs["c1"] / critical == pytest.approx(found.attrs["c0"], rel=1e-14)


@pytest.mark.parametrize("sampling", ["replacement", "subset"])
def test_tables_by_batch_size(sampling):
    problem = table(sampling)
    options = {"schedule": schedules.get("one_cycle", base=0.01, peak=0.2, steps=25), "steps": 25}
    found = final_loss("sgd", problem, batches=[1, 2, 12, 50], **options)
    assert found.batch.values.tolist() == ([1, 2, 12, 50] if sampling == "replacement" else [1, 2, 12])
    for batch, value in zip(found.batch.values, found.loss.values, strict=True):
        assert value == pytest.approx(predicted("sgd", problem, options["schedule"], 25, int(batch)), rel=1e-13)
    assert (np.diff(found.loss) < 0).all()
    whole = ol.predict("sgd", problem, batch=None, record=[25], **options).loss_mean.item()
    assert found.attrs["c0"] + (found.loss - found.excess).values[0] == pytest.approx(whole, rel=1e-13)
    critical = found.attrs["critical_batch"]
    sizes = [max(1, math.floor(critical)), math.ceil(critical)]
    around = final_loss("sgd", problem, batches=sizes, **options).excess.values
    assert around[-1] <= 2 * found.attrs["c0"] * (1 + 1e-9)
    if critical >= 1:
        assert around[0] >= 2 * found.attrs["c0"] * (1 - 1e-9)


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"rule": "adam"}, NotLinearError, "not linear"),
        ({"schedule": "nothing"}, InputError, "unknown schedule"),
        ({"options": {"width": 3}}, InputError, "no option 'width'"),
        ({"options": {"floor": "x"}}, InputError, "no formula in peak"),
        ({"schedule": "constant", "options": {"alpha": 0.1}}, InputError, "does not depend on peak"),
        ({"steps": 0}, InputError, "steps"),
        ({"points": 2}, InputError, "points"),
        ({"problem": problems.quadratic(dim=1, theta0=0.0)}, UnsupportedError, "a minimum already"),
        ({"problem": problems.quadratic(dim=1, theta0=0.0, noise=1.0)}, UnsupportedError, "a minimum already"),
        ({"problem": problems.symbolic("x**4")}, UnsupportedError, "quadratic"),
    ],
)
def test_errors_are_one_line(options, error, word):
    with pytest.raises(error, match=word) as caught:
        best_peak(**({"rule": "sgd", "problem": problems.quadratic(dim=1), "steps": 5} | options))
    assert "\n" not in str(caught.value)
