"""Sampling, areas and exact moments on paper: against enumeration, plain sums, and the numeric prediction."""

import itertools

import pytest
import sympy as sp

import optlab as ol
from optlab import problems, schedules
from optlab.analysis import areas as known
from optlab.analysis import sampling
from optlab.analysis import schedules as areas
from optlab.analysis.moments import exact_moments
from optlab.bounds.record import Obligation
from optlab.errors import CheckFailed, InputError, NotLinearError, UnsupportedError
from optlab.symbols import symbol, time
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
    for statement, record in zip(known.statements(), schedules.builtin(), strict=True):
        bound = schedules.get(record.name, **OPTIONS[record.name])
        value = statement.expression.subs(bound.values | {areas.T: sp.Integer(20)})
        total = sum(SCHEDULES[record.name](t, **OPTIONS[record.name]) for t in range(20))
        assert float(sp.N(value, 20)) == pytest.approx(total, rel=1e-12)


def test_each_area_says_how_it_is_known():
    found = {s.name.removeprefix("area_"): s for s in known.statements()}
    assert {name: s.status for name, s in found.items()} == {
        "constant": "derived", "inverse_sqrt": "stated", "inverse_time": "proved",
        "cosine": "proved", "warmup_cosine": "proved", "one_cycle": "proved",
    }  # fmt: skip
    assert found["warmup_cosine"].conditions == (symbol("warmup") < symbol("steps"),)
    assert len(found["one_cycle"].conditions) == 2  # the two denominators
    assert not found["cosine"].conditions


WRONG = [
    ("cosine", sp.cos, lambda F: -F),
    ("cosine", sp.cos, lambda F: F.subs(time, time + 1)),
    ("one_cycle", sp.cos, lambda F: F + time / 1000),
    ("inverse_time", sp.Pow, lambda F: F.subs(time, time + 1)),
    ("inverse_sqrt", sp.Pow, lambda F: -F),
    ("inverse_sqrt", sp.Pow, lambda F: F.subs(time, time + 1)),
    ("warmup_cosine", sp.Symbol, lambda F: F + time),
]


@pytest.mark.parametrize(("name", "kind", "spoil"), WRONG)
def test_a_wrong_antidifference_is_found(name, kind, spoil, monkeypatch):
    right = areas.of_one
    monkeypatch.setattr(known, "of_one", lambda f: spoil(right(f)) if isinstance(f, kind) else right(f))
    with pytest.raises(CheckFailed, match="no antidifference"):
        known.statement(schedules.get(name).with_())


@pytest.mark.parametrize("steps", [2, 4])
def test_a_cosine_of_whole_turns_has_an_area_too(steps):
    schedule = schedules.get("one_cycle", base=0.05, peak=0.3, steps=steps, rise=sp.Rational(1, 2 * (steps - 1)))
    total = sum(SCHEDULES["one_cycle"](t, base=0.05, peak=0.3, steps=steps, rise=1 / (2 * (steps - 1))) for t in range(steps))
    assert float(areas.area(schedule, steps)) == pytest.approx(total, rel=1e-14)


def test_areas_read_back():
    for statement in known.statements():
        assert ol.sympify(str(statement.expression)) == statement.expression, statement.name
        for condition in statement.conditions:
            assert ol.sympify(str(condition)) == condition
    for name, options in OPTIONS.items():
        for bound in (schedules.get(name, **options), schedules.get(name).with_()):
            total = areas.area(bound)
            assert ol.sympify(str(total)) == total, name


def test_functions_are_functions_only_where_they_are_called():
    zeta, floor = symbol("zeta"), symbol("floor")
    assert ol.sympify("zeta*harmonic(zeta + 1) - floor/floor (5/2)") == zeta * sp.harmonic(zeta + 1) - floor / 2
    assert ol.sympify("zeta(1/2, zeta)") == sp.zeta(sp.Rational(1, 2), zeta)
    assert ol.sympify("harmonic") == symbol("harmonic")
    rule = ol.rules.Rule(
        name="zeta_rule", parameters={zeta: ol.rules.Parameter("1/2")}, equations=((symbol("theta"), symbol("theta") - zeta * symbol("g")),)
    )
    assert ol.sympify(str(rule.equations[0][1])) == rule.equations[0][1]


def test_the_gaussian_limit_fails_with_the_wrong_eigenvalue():
    limit, steps = sampling.gaussian_limit()
    assert all(step.holds() for step in steps)
    last = steps[-1]
    assert not Obligation("the other way round", -last.expression, at_least=True, where=last.where).holds()
    assert sampling.statements()[-1].status == "proved"
    assert sampling.statements()[-1].expression == limit


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
