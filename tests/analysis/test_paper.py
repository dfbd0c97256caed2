"""Sampling, areas and exact moments on paper: against enumeration, plain sums, and the numeric prediction."""

import itertools

import pytest
import sympy as sp

import optlab as ol
from optlab import problems, schedules
from optlab.analysis import sampling
from optlab.analysis import schedules as areas
from optlab.analysis.moments import exact_moments
from optlab.errors import InputError, NotLinearError, UnsupportedError
from optlab.symbols import time
from tests.oracles.batches import every_batch
from tests.oracles.schedules import SCHEDULES

OPTIONS = {
    "constant": {"alpha": 0.3},
    "inverse_sqrt": {"a": 0.3},
    "inverse_time": {"c": 2.0, "t0": 2.5},
    "cosine": {"peak": 0.3, "steps": 20, "floor": 0.01},
    "warmup_cosine": {"peak": 0.3, "steps": 20, "warmup": 6},
    "one_cycle": {"base": 0.05, "peak": 0.3, "steps": 20},
}


@pytest.mark.parametrize("kind", sampling.SAMPLINGS)
@pytest.mark.parametrize(("n", "size"), [(2, 1), (3, 2), (4, 3)])
def test_every_batch_of_symbolic_rows(kind, n, size):
    h = sp.symbols(f"h:{n}")
    batches = every_batch(n, size, kind)
    mean = sum((sum(h[r] for r in batch) / sp.Integer(size)) ** 2 for batch in batches) / len(batches)
    values = {sampling.B: size, sampling.n: n, sampling.square: sum(x**2 for x in h) / n, sampling.outer: (sum(h) / n) ** 2}
    assert sp.expand(mean - sampling.batch_square(kind).subs(values)) == 0


def test_the_statements_on_sampling():
    found = {s.name: s.expression for s in sampling.statements()}
    B, n, d, lam = sampling.B, sampling.n, sampling.d, ol.symbols.lam
    assert sp.simplify(found["batch_variance_subset"] - sampling.sigma**2 / B * (n - B) / (n - 1)) == 0
    assert sp.simplify(found["mean_square_limit_gaussian"] - 2 * B / (B + d + 1)) == 0
    assert sp.simplify(found["mean_square_limit_scalar"] - 2 / (lam * (1 + (sampling.kurtosis - 1) / B))) == 0
    assert sp.simplify(found["mean_square_limit_scalar"].subs({sampling.kurtosis: 3, lam: 1}) - 2 * B / (B + 2)) == 0


@pytest.mark.parametrize(("name", "steps"), list(itertools.product(OPTIONS, [0, 1, 5, 6, 7, 20, 33])))
def test_areas_are_sums(name, steps):
    total = sum(SCHEDULES[name](t, **OPTIONS[name]) for t in range(steps))
    assert float(sp.N(areas.area(schedules.get(name, **OPTIONS[name]), steps), 20)) == pytest.approx(total, rel=1e-12, abs=1e-15)


def test_the_statements_on_areas():
    for statement, record in zip(areas.statements(), schedules.builtin(), strict=True):
        bound = schedules.get(record.name, **OPTIONS[record.name])
        value = statement.expression.subs(bound.values | {areas.T: sp.Integer(20)})
        total = sum(SCHEDULES[record.name](t, **OPTIONS[record.name]) for t in range(20))
        assert float(sp.N(value, 20)) == pytest.approx(total, rel=1e-12)


def test_what_has_no_closed_sum():
    for formula in (sp.exp(time**2), sp.log(time + 1), sp.cos(time**2)):
        with pytest.raises(UnsupportedError, match="no closed form"):
            areas.antidifference(formula)
    with pytest.raises(InputError, match="whole number"):
        areas.area("constant(alpha=0.1)", -1)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("rule", ["sgd", "momentum(beta=0.8)", "nesterov(beta=0.5)", "ema_momentum(beta=0.9)"])
def test_prediction_equals_fifty_digits(name, rule):
    schedule = schedules.get(name, **OPTIONS[name])
    problem = problems.quadratic(spectrum=[0.75], noise=0.5, theta0=1.5)
    found = ol.predict(rule, problem, schedule=schedule, steps=15, batch=2, record=range(16))
    exact = list(exact_moments(rule, schedule=schedule, steps=15, curvature=0.75, noise=0.125, start=1.5, digits=50))
    for moment, loss, mean in zip(exact, found.loss_mean.values, found.theta_mean.values[:, 0], strict=True):
        assert loss == pytest.approx(float(moment.loss) * 0.75, rel=1e-12)
        assert mean == pytest.approx(float(moment.mean[0]), rel=1e-12, abs=1e-14)


def test_exact_moments_stay_rational_and_refuse_adaptive_rules():
    last = list(exact_moments("momentum", schedule="inverse_time(c=1, t0=2)", steps=4, curvature=sp.Rational(1, 3), noise=1))[-1]
    assert all(entry.is_Rational for entry in last.second)
    assert last.variance == last.second[0, 0] - last.mean[0] ** 2
    with pytest.raises(NotLinearError):
        list(exact_moments("adam", schedule=0.1, steps=1))
    with pytest.raises(InputError, match="steps"):
        list(exact_moments("sgd", schedule=0.1, steps=-1))
