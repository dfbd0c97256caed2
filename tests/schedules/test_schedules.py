"""Schedules against their hand-written twins, step by step."""

import re

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from optlab import schedules
from optlab.ensemble.bind import learning_rates
from optlab.errors import InputError
from optlab.schedules import Schedule, symbol, time
from tests.oracles.schedules import SCHEDULES

STEPS = 120
CASES = [
    ("constant", {"alpha": 0.03}),
    ("inverse_sqrt", {"a": 0.7}),
    ("inverse_time", {"c": 2, "t0": 200}),
    ("inverse_time", {"c": 0.5, "t0": 0.25}),
    ("cosine", {"peak": 0.1, "steps": 100}),
    ("cosine", {"peak": 0.1, "steps": 100, "floor": 0.01}),
    ("cosine", {"peak": 0.1, "steps": 1}),
    ("warmup_cosine", {"peak": 0.1, "steps": 100, "warmup": 10}),
    ("warmup_cosine", {"peak": 0.3, "steps": 100, "warmup": 1, "floor": 0.001}),
    ("warmup_cosine", {"peak": 0.1, "steps": 100, "warmup": 0}),
    ("warmup_cosine", {"peak": 0.1, "steps": 100, "warmup": 100}),
    ("warmup_cosine", {"peak": 0.1, "steps": 50, "warmup": 80}),
    ("one_cycle", {"base": 0.01, "peak": 0.1, "steps": 101}),
    ("one_cycle", {"base": 0.01, "peak": 0.1, "steps": 100, "rise": 0.37}),
    ("one_cycle", {"base": 0.01, "peak": 0.1, "steps": 2}),
]
IDS = [f"{name}-{'-'.join(map(str, options.values()))}" for name, options in CASES]


def test_every_schedule_has_a_twin_and_a_case():
    assert set(schedules.names()) == set(SCHEDULES) == {name for name, _ in CASES}


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_every_step_is_the_twins(name, options):
    schedule = schedules.get(name, **options)
    rates = learning_rates(schedule, STEPS)
    # where a cosine nears -1 both sides lose digits by cancellation, relative to the peak and not to the rate itself
    close = 4e-16 * max(v for k, v in options.items() if k not in ("steps", "warmup", "t0"))
    for t in range(STEPS):
        twin = SCHEDULES[name](t, **options)
        assert rates[t] == pytest.approx(twin, rel=1e-15, abs=close), t
        assert float(sp.N(schedule.at(t), 30)) == pytest.approx(twin, rel=1e-15, abs=close), t


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_generated_rates_are_the_exact_values(name, options):
    schedule = schedules.get(name, **options)
    rates = learning_rates(schedule, STEPS)
    exact = np.array([float(sp.N(schedule.at(t), 30)) for t in range(STEPS)])
    scale = exact if name in ("constant", "inverse_sqrt", "inverse_time") else exact.max()
    assert np.all(np.abs(rates - exact) <= 1e-15 * scale)


def exactly(name, options, t):
    return schedules.get(name, **options).at(t)


def test_first_last_and_peak():
    tenth, hundredth = sp.Rational(1, 10), sp.Rational(1, 100)
    assert exactly("constant", {"alpha": 0.1}, 10**6) == tenth
    assert exactly("inverse_sqrt", {"a": 0.1}, 0) == tenth
    assert exactly("inverse_sqrt", {"a": 0.1}, 99) == hundredth
    assert exactly("inverse_time", {"c": 1, "t0": 10}, 0) == tenth
    assert exactly("inverse_time", {"c": 1, "t0": 10}, 90) == hundredth
    cosine = {"peak": 0.1, "steps": 100, "floor": 0.01}
    assert [exactly("cosine", cosine, t) for t in (0, 100, 101)] == [tenth, hundredth, hundredth]
    assert exactly("cosine", cosine, 50) == sp.Rational(11, 200)
    warm = {"peak": 0.1, "steps": 100, "warmup": 10}
    assert [exactly("warmup_cosine", warm, t) for t in (0, 9, 10, 55, 100)] == [hundredth, tenth, tenth, tenth / 2, 0]
    cycle = {"base": 0.01, "peak": 0.1, "steps": 101}
    assert [exactly("one_cycle", cycle, t) for t in (0, 15, 30, 100)] == [hundredth, sp.Rational(11, 200), tenth, hundredth / 100]


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_no_rate_leaves_the_range_of_the_schedule(name, options):
    rates = learning_rates(schedules.get(name, **options), STEPS)
    high = (
        max(v for k, v in options.items() if k in ("alpha", "a", "peak", "base"))
        if name != "inverse_time"
        else options["c"] / options["t0"]
    )
    assert rates.min() >= 0
    assert rates.max() <= high * (1 + 1e-15)


@given(
    peak=st.fractions(0, 10, max_denominator=1000),
    steps=st.integers(1, 60),
    warmup=st.integers(0, 60),
    floor=st.fractions(0, 1, max_denominator=1000),
)
def test_warmup_cosine_for_drawn_values(peak, steps, warmup, floor):
    exact = {"peak": sp.Rational(peak.numerator, peak.denominator), "floor": sp.Rational(floor.numerator, floor.denominator)}
    schedule = schedules.get("warmup_cosine", steps=steps, warmup=warmup, **exact)
    rates = learning_rates(schedule, 64)
    twin = [SCHEDULES["warmup_cosine"](t, float(peak), steps, warmup, float(floor)) for t in range(64)]
    assert np.all(np.abs(rates - twin) <= 2e-15 * max(peak, floor))


def test_a_number_is_the_constant_schedule_and_a_label_reads_back():
    assert learning_rates(0.25, 3).tolist() == [0.25] * 3
    for name, options in CASES:
        schedule = schedules.get(name, **options)
        assert schedules.get(schedule.label()) == schedule
        assert schedules.get(schedule.label()).fingerprint == schedule.fingerprint
        assert "alpha_t" in schedule.latex()


def test_a_schedule_from_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from optlab.schedules import Parameter, Schedule, symbol, time\n"
        "a = symbol('a')\n"
        "MINE = Schedule(name='mine', expression=a * 2**(-time), parameters={a: Parameter('1/2')})\n"
    )
    assert learning_rates(schedules.get(f"{path}:MINE", a=1), 4).tolist() == [1, 0.5, 0.25, 0.125]


t0 = symbol("t0")
BAD = {
    "missing": (lambda: learning_rates("cosine", 3), "cosine needs a value for peak"),
    "missing in text": (lambda: learning_rates("cosine(peak=0.1)", 3), "cosine needs a value for steps"),
    "negative": (lambda: schedules.get("constant", alpha=-0.1), r"constant: alpha = -0.1 is out of range"),
    "zero offset": (lambda: schedules.get("inverse_time", c=1, t0=0), r"t0 = 0 is out of range: it must lie in \(0, oo\)"),
    "fraction of a step": (lambda: schedules.get("cosine", peak=1, steps=2.5), "steps = 2.5 must be a whole number"),
    "no steps": (lambda: schedules.get("cosine", peak=1, steps=0), "steps = 0 is out of range"),
    "rise": (lambda: schedules.get("one_cycle", rise=1), r"rise = 1 is out of range: it must lie in \(0, 1\)"),
    "nan": (lambda: schedules.get("constant", alpha=float("nan")), "alpha = nan is not a finite"),
    "near miss": (lambda: schedules.get("cosin"), "unknown schedule 'cosin'; did you mean 'cosine'"),
    "option": (lambda: schedules.get("cosine", peek=1), "unknown option of cosine 'peek'; did you mean 'peak'"),
    "symbol": (lambda: Schedule(name="mine", expression=symbol("q") / (time + 1)), "schedule mine uses q"),
    "the rules' step": (lambda: Schedule(name="mine", expression=1 / symbol("t")), "schedule mine uses t"),
    "infinite rate": (lambda: learning_rates(Schedule(name="mine", expression=1 / time), 3), "gives the learning rate inf at step 0"),
    "negative rate": (lambda: learning_rates(Schedule(name="mine", expression=1 - time), 3), "gives the learning rate -1.0 at step 2"),
    "infinite number": (lambda: learning_rates(float("inf"), 3), "alpha = inf is not a finite"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_values_are_refused_in_one_line(case):
    attempt, message = BAD[case]
    with pytest.raises(InputError) as caught:
        attempt()
    assert re.search(message, str(caught.value)), caught.value
    assert "\n" not in str(caught.value)
