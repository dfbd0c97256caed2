"""The exponent of a power law: exact on exact laws, and its interval covers what it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, linregress, t

from optlab.experiments.power_law import power_law


@given(st.floats(-2, 2), st.floats(1e-3, 1e3))
def test_an_exact_law_has_its_exponent(exponent, scale):
    x = np.array([10.0, 100.0, 1000.0, 1e4])
    fit = power_law(x, scale * x**exponent)
    assert fit.exponent == pytest.approx(exponent, abs=1e-9)
    assert fit.scale == pytest.approx(scale, rel=1e-7)
    assert fit.low <= fit.exponent <= fit.high


def test_the_interval_is_that_of_linear_regression():
    x, y = [10, 30, 100, 300], [12.0, 40.0, 90.0, 350.0]
    fit, other = power_law(x, y), linregress(np.log(x), np.log(y))
    half = t.ppf(0.975, 2) * other.stderr
    np.testing.assert_allclose([fit.exponent, fit.low, fit.high], [other.slope, other.slope - half, other.slope + half], rtol=1e-12)


def test_the_interval_covers():
    """600 drawn laws; the count within is Binomial(600, 0.95), bounds at a false-alarm probability of 1e-9."""
    rng, x = np.random.default_rng(0), np.geomspace(10, 1e4, 6)
    hits = 0
    for _ in range(600):
        fit = power_law(x, 3 * x**0.5 * np.exp(0.1 * rng.normal(size=6)))
        hits += fit.low <= 0.5 <= fit.high
    assert binom.ppf(5e-10, 600, 0.95) <= hits <= binom.ppf(1 - 5e-10, 600, 0.95)


def test_what_is_not_reached_is_left_out_and_counted():
    fit = power_law([1, 10, 100, 1000], [1, 10, 100, np.inf])
    assert (round(fit.exponent, 9), fit.points) == (1.0, 3)
    few = power_law([1, 10, 100], [1, np.nan, 100])
    assert few.points == 2
    assert np.isnan(few.exponent)
    assert few.text() == "-"
