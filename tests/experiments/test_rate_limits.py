"""The search for the largest stable rate, on made-up runs whose limit is known."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from optlab.experiments.rate_limits import Limits, interval, limits, ratio, stable


def result(last, first=3.0, diverged=-1):
    return xr.Dataset({"step_loss": ("record", [first, last]), "diverged_at": ((), diverged)})


def test_what_is_stable():
    assert stable(result(1.0))
    assert not stable(result(1.0, diverged=5))
    assert not stable(result(np.nan))
    assert not stable(result(2.3))  # the loss of a guess is ln 10 = 2.303: a dead network
    assert not stable(result(1.45, first=1.5))


def search(known, rates, refine):
    """Limits of setups whose true limits by (setup, seed) are known."""
    asked = []

    def run(cells):
        asked.append(len(cells))
        return [result(1.0) if rate <= known[setup][seed] else result(np.nan, diverged=1) for setup, rate, seed in cells]

    makes = [lambda rate, seed, setup=setup: (setup, rate, seed) for setup in range(len(known))]
    return limits(run, makes, rates, range(len(known[0])), refine), asked


def test_limits_are_bracketed():
    (one, other), asked = search([[0.2, 0.7], [2.0, 5.0]], [0.1, 1.0, 10.0], 3)
    for found, known in ((one, [0.2, 0.7]), (other, [2.0, 5.0])):
        assert (found.below <= known).all()
        assert (found.above > known).all()
        np.testing.assert_allclose(found.above / found.below, 10 ** (1 / 8), rtol=0.01)  # a decade, halved three times
    assert asked == [12, 4, 4, 4]
    value, low, high = ratio(other, one, 0.9)
    assert low < np.sqrt(2 * 5 / (0.2 * 0.7)) < high
    assert low < value < high


def test_ends_of_the_grid():
    (found,), _ = search([[0.01, 100.0]], [0.1, 1.0], 2)
    assert np.isnan(found.below[0])
    assert found.above.tolist() == [0.1, np.inf]
    assert found.below[1] == 1.0
    assert np.isnan(interval(found.below, found.above, 0.9)).all()
    assert interval(np.array([1.0, 2.0]), np.array([2.0, np.inf]), 0.9)[2] == np.inf
    assert np.isnan(ratio(Limits(np.ones(1), np.ones(1), []), Limits(np.ones(1), np.ones(1), []), 0.9)).all()


def test_the_interval_of_exact_limits_is_student_s():
    values = np.array([1.0, 2.0, 1.5, 3.0])
    _, low, high = interval(values, values, 0.95)
    sure = np.exp(stats.t.interval(0.95, 3, np.log(values).mean(), stats.sem(np.log(values))))
    assert (low, high) == pytest.approx(tuple(sure))
