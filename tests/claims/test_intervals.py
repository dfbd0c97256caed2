"""Intervals against SciPy's, and how often they hold what they should: false alarms at most 1e-9 (binomial tail)."""

import numpy as np
import pytest
from scipy import stats

from optlab.claims.intervals import mean_of, normal_half_width, share, variance_ratio


def test_the_interval_of_a_mean_is_student_s():
    values = np.random.default_rng(0).normal(size=20)
    found, sure = mean_of(values, 0.95), stats.t.interval(0.95, 19, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(sure)
    assert np.isnan(mean_of(np.array([1.0])).low)


def test_the_interval_of_a_share_holds_the_probability():
    for count in (0, 3, 10):
        found = share(count, 10, 0.95)
        assert stats.binom.cdf(count, 10, found.high) == pytest.approx(0.025) or count == 10
        assert stats.binom.sf(count - 1, 10, found.low) == pytest.approx(0.025) or count == 0


def test_the_interval_of_a_variance_ratio_holds_one():
    """4,000 samples of 400 normal numbers; misses are binomial with a probability of at most 0.003 (0.001 and the skewness of s^2)."""
    generator, runs = np.random.default_rng(1), 400
    variances = generator.normal(size=(4000, runs)).var(1, ddof=1)
    missed = sum(not found.low <= 1 <= found.high for found in (variance_ratio(v, 3.0, runs, 1.0) for v in variances))
    assert missed <= stats.binom.isf(1e-9, 4000, 0.003)
    assert normal_half_width(10) > normal_half_width(1)
