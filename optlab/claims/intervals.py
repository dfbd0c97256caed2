"""Intervals of the quantities that claims are judged by; each states what it assumes."""

from __future__ import annotations

import numpy as np
from scipy import stats

from optlab.claims.record import CONFIDENCE, Measured


def normal_half_width(comparisons: int = 1, confidence: float = CONFIDENCE) -> float:
    """Standard errors on either side of a mean, so that ``comparisons`` of them hold at once (Bonferroni).

    >>> round(normal_half_width(), 3), round(normal_half_width(100), 3)
    (3.291, 4.417)
    """
    return float(stats.norm.isf((1 - confidence) / (2 * comparisons)))


def mean_of(values: np.ndarray, confidence: float = CONFIDENCE) -> Measured:
    """Student's interval of the mean of independent numbers; nan with fewer than two."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return Measured(float(values.mean()) if len(values) else np.nan, np.nan, np.nan)
    half = float(stats.t.isf((1 - confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return Measured.around(float(values.mean()), half)


def share(count: int, total: int, confidence: float = CONFIDENCE) -> Measured:
    """Clopper and Pearson's interval of a probability from ``count`` of ``total``.

    >>> found = share(0, 100)
    >>> found.value, found.low, round(found.high, 3)
    (0.0, 0.0, 0.073)
    """
    found = stats.binomtest(count, total).proportion_ci(confidence, "exact")
    return Measured(count / total, float(found.low), float(found.high))


def variance_ratio(variance: float, kurtosis: float, runs: int, expected: float, comparisons: int = 1) -> Measured:
    """A sample variance over what it should be; normal interval with the variance's own standard error.

    Var(s^2) = sigma^4 ((kurtosis - 1) / runs) to first order (Cramer 1946, 27.4); ``kurtosis`` is mu_4/sigma^4, 3 for a normal law.
    """
    half = normal_half_width(comparisons) * np.sqrt((kurtosis - 1) / runs) * variance / expected
    return Measured.around(variance / expected, float(half))


__all__ = ["mean_of", "normal_half_width", "share", "variance_ratio"]
