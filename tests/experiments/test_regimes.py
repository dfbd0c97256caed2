"""The slopes of decaying step sizes: on curves of known slope, and end to end on a small spec."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import optlab as ol
from optlab import problems
from optlab.experiments import regimes
from optlab.experiments.regimes import count, fit_regimes, fit_slope, regime_window
from optlab.experiments.spec import Regimes
from optlab.experiments.sweep import Runner

SMALL = Regimes(condition_number=2, dim=2, steps=1500, trajectories=320, replicates=5)
STEPS = np.unique(np.concatenate([[0], np.rint(np.geomspace(1, 30_000, 161)).astype(int)]))


def curve(loss):
    with np.errstate(divide="ignore"):
        return xr.Dataset({"loss_mean": ("step", loss(STEPS.astype(float)))}, {"step": STEPS})


@given(st.floats(-2, -0.1), st.floats(1e-3, 1e3))
def test_a_power_law_has_its_slope_everywhere(slope, scale):
    exact = curve(lambda t: scale * np.maximum(t, 0.5) ** slope)
    assert regime_window(exact, slope) == (1, 30_000)
    assert fit_slope(exact.step.values, exact.loss_mean.values, (1, 30_000)) == pytest.approx(slope, abs=1e-10)
    assert regime_window(exact, slope + 0.03) is None
    assert regime_window(exact, slope + 0.01) == (1, 30_000)


def test_the_window_starts_where_the_transient_is_over():
    """loss = (1 + 100/t) / t has the local slope -1 - 100/(t + 100), within 0.02 of -1 from t = 4900 on."""
    exact = curve(lambda t: (1 + 100 / np.maximum(t, 0.5)) / np.maximum(t, 0.5))
    first, last = regime_window(exact, -1.0)
    assert 4900 <= first <= 4900 * 1.08  # steps lie 6.5 % apart
    assert last == 30_000
    fitted = fit_slope(exact.step.values, exact.loss_mean.values, (first, last))
    assert -1.02 <= fitted < -1
    whole = fit_slope(exact.step.values, exact.loss_mean.values, (1, 30_000))
    assert whole < -1.3  # which is why it is not fitted there


def test_no_window_where_theory_has_not_arrived():
    late = curve(lambda t: (1 + 1e4 / np.maximum(t, 0.5)) / np.maximum(t, 0.5))
    assert regime_window(late, -1.0) is None
    leaving = curve(lambda t: 1 / np.maximum(t, 0.5) + 1e-3)  # a floor: it was near -1 and left
    assert regime_window(leaving, -1.0) is None


def test_only_the_last_stretch_counts():
    """Within the tolerance early, outside in the middle, within again at the end."""
    local = np.where((STEPS > 300) & (STEPS < 1000), -0.7, -0.5)
    log_loss = np.concatenate([[0, 0], np.cumsum(local[2:] * np.diff(np.log(STEPS[1:])))])
    exact = xr.Dataset({"loss_mean": ("step", np.exp(log_loss))}, {"step": STEPS})
    first, last = regime_window(exact, -0.5)
    assert 950 <= first <= 1200
    assert last == 30_000


@given(st.floats(-2, 2), st.integers(0, 1000))
def test_the_slope_is_the_least_squares_line(slope, seed):
    rng = np.random.default_rng(seed)
    x = np.log(STEPS[20:120])
    y = slope * x + rng.normal(size=len(x))
    centered = x - x.mean()
    expected = centered @ y / (centered @ centered)
    found = fit_slope(STEPS, np.concatenate([np.ones(20), np.exp(y), np.ones(len(STEPS) - 120)]), (int(STEPS[20]), int(STEPS[119])))
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.fixture(scope="module")
def fitted():
    runner = Runner(None)
    return fit_regimes(SMALL, 0, runner), runner


def test_both_regimes_are_simulated_and_agree_with_theory(fitted):
    """Simulation against exact prediction with false-alarm probability 1e-9 for both together; the seed is fixed."""
    slopes, runner = fitted
    assert runner.computed == count(SMALL) == 12
    assert [(s.schedule.name, s.limit, s.bound_name) for s in slopes] == [
        ("inverse_sqrt", -0.5, "convex_sgd"), ("inverse_time", -1.0, "strongly_convex_sgd"),
    ]  # fmt: skip
    for slope in slopes:
        assert slope.agreement.holds, slope.agreement
        assert slope.agreement.points > 50
        assert slope.simulated.sizes["replicate"] == 5
        means = slope.simulated.loss_mean.values[:, -1]
        assert len(set(means)) == 5  # replicates are independent draws


def test_the_fits_are_those_of_the_curves(fitted):
    for slope in fitted[0]:
        assert slope.window is not None
        step, low = slope.exact.step.values, slope.window[0]
        each = [fit_slope(step, part, slope.window) for part in slope.simulated.loss_mean.values]
        assert slope.slope == pytest.approx(np.mean(each))
        assert slope.theory_slope == pytest.approx(slope.limit, abs=regimes.TOLERANCE)
        assert slope.half_width == pytest.approx(4.604095 * np.std(each, ddof=1) / np.sqrt(5), rel=1e-6)  # Student's t, 4 degrees, 99 %
        local = np.gradient(np.log(slope.exact.loss_mean.values[1:]), np.log(step[1:]))
        assert np.all(np.abs(local[step[1:] >= low] - slope.limit) <= regimes.TOLERANCE)
        assert slope.contains_limit == (abs(slope.slope - slope.limit) <= slope.half_width + 0.02)


def test_the_bounds_lie_above_what_they_bound(fitted):
    for slope in fitted[0]:
        assert np.all(slope.bound[1:] >= slope.bounded[1:])
        assert slope.bound[-1] < 30 * slope.bounded[-1]
    convex, strong = fitted[0]
    problem = problems.quadratic(condition_number=2, dim=2, noise=1.0)
    every = ol.predict("sgd", problem, schedule=convex.schedule, steps=SMALL.steps, record=range(SMALL.steps + 1)).loss_mean.values
    weights = 1 / np.sqrt(np.arange(1, SMALL.steps + 1))
    assert convex.bounded[-1] == pytest.approx(np.average(every[:-1], weights=weights), rel=1e-10)
    np.testing.assert_array_equal(strong.bounded, strong.exact.loss_mean)


def test_where_no_slope_is_fitted_nothing_is_claimed():
    slopes = fit_regimes(Regimes(condition_number=1000, dim=2, steps=100, trajectories=64, replicates=3), 0, Runner(None))
    for slope in slopes:
        assert (slope.window, slope.slope, slope.half_width, slope.theory_slope, slope.contains_limit) == (None,) * 5
        assert slope.agreement.holds  # 1e-9
