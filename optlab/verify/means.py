"""Tests of a mean at a false-alarm probability that is said: by Bernstein's inequality, by a corrected z, or by a bounded transform."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

FALSE_ALARM = 1e-9  #: of one whole check; its tests share it


@dataclass(frozen=True)
class Verdict:
    """``held`` is None where so few or so skewed draws decide nothing; ``z`` is the largest, in standard errors, beside its limit."""

    held: bool | None
    z: float
    limit: float
    place: int
    how: str


def bernstein_limit(draws: int, variance: np.ndarray, reach: np.ndarray, false_alarm: float) -> np.ndarray:
    """How far a mean of bounded independent draws strays with at most this probability (two-sided; Bernstein's inequality).

    ``reach`` bounds |draw - mean|. Also for draws without replacement, whose means stray less (Hoeffding 1963, section 6).
    """
    log = math.log(2 / false_alarm)
    return reach * log / (3 * draws) + np.sqrt((reach * log / (3 * draws)) ** 2 + 2 * variance * log / draws)


def normal_limit(draws: int, skewness: float, false_alarm: float) -> float | None:
    """The z that a standardized mean exceeds with this probability; the normal tail is raised for skewness (Cramér's first term).

    None where the correction is larger than the tail itself, so that draws of this skewness decide nothing.

    >>> round(normal_limit(4000, 0.0, 1e-9), 2), round(normal_limit(4000, 1.0, 1e-9), 2), normal_limit(400, 9.0, 1e-9)
    (6.11, 6.32, None)
    """
    slope = abs(skewness) / (3 * math.sqrt(draws))

    def excess(z: float) -> float:
        return math.log(2) + float(norm.logsf(z)) + slope * z**3 - math.log(false_alarm)

    below = [z for z in np.linspace(0.05, 12, 240) if excess(z) < 0]
    return float(brentq(excess, 0, below[0])) if below else None


def mean_verdict(
    draws: np.ndarray, expected: np.ndarray, false_alarm: float, bounds: tuple[np.ndarray, np.ndarray] | None = None
) -> Verdict:
    """Whether draws of shape (draws, coordinates) have the expected mean.

    With ``bounds`` (variance and reach of a draw, known beforehand) by Bernstein's inequality, which holds at every number of draws;
    else by z with a skewness correction, which asks for three finite moments.
    """
    count, width = draws.shape
    share = false_alarm / width
    off = np.abs(draws.mean(0) - expected)
    rounding = 1e-12 * (np.abs(expected) + np.abs(draws).max(0))
    if bounds is not None:
        variance, reach = bounds
        limits = bernstein_limit(count, variance, reach, share) + rounding
        place = int(np.argmax(off / limits))
        error = math.sqrt(variance[place] / count) or 1.0
        how = "Bernstein's inequality"
        return Verdict(bool(np.all(off <= limits)), float(off[place] / error), float(limits[place] / error), place, how)
    deviations = draws - draws.mean(0)
    spread = deviations.std(0)
    errors = spread / math.sqrt(count) + rounding
    with np.errstate(all="ignore"):
        skewness = np.nan_to_num((deviations**3).mean(0) / spread**3)
    ratios, undecided = np.zeros(width), False
    limits = np.ones(width)
    for k in range(width):
        limit = normal_limit(count, float(skewness[k]), share)
        undecided |= limit is None
        limits[k] = limit or math.inf
        ratios[k] = off[k] / errors[k] / limits[k]
    place = int(np.argmax(ratios))
    z = float(off[place] / errors[place])
    held = bool(np.all(ratios <= 1))
    return Verdict(None if held and undecided else held, z, float(limits[place]), place, "z with a skewness correction")


def center_verdict(draws: np.ndarray, expected: np.ndarray, false_alarm: float) -> Verdict:
    """Whether draws are symmetric about the expected value: the mean of (d / s) / sqrt(1 + (d / s)^2) is 0, s the median of |d|.

    The transform is bounded by 1 and odd, so that no moment needs to be finite. s is even in the signs of d, which under symmetry are
    fair coins: Hoeffding's inequality holds given all the sizes, at every number of draws.
    """
    count, width = draws.shape
    d = draws - expected
    scale = np.median(np.abs(d), axis=0)
    with np.errstate(all="ignore"):
        bounded = np.nan_to_num(d / np.sqrt(scale**2 + d**2))
    size = np.sqrt((bounded**2).mean(0))
    off = np.abs(bounded.mean(0))
    limits = np.sqrt(2 * size**2 * math.log(2 * width / false_alarm) / count) + 1e-12
    place = int(np.argmax(off / limits))
    error = size[place] / math.sqrt(count) + 1e-300
    return Verdict(bool(np.all(off <= limits)), float(off[place] / error), float(limits[place] / error), place, "a bounded transform")


def tail_index(draws: np.ndarray, share: float = 0.02) -> float:
    """Hill's estimate of the tail index: moments of higher order are infinite. The smallest over the coordinates.

    >>> rng = np.random.default_rng(0)
    >>> bool(tail_index(rng.standard_t(1.3, (5000, 1))) < 1.9), bool(tail_index(rng.normal(size=(5000, 1))) > 4)
    (True, True)
    """
    count = max(int(share * len(draws)), 10)
    out = math.inf
    for column in np.abs(draws - np.median(draws, axis=0)).T:
        top = np.sort(column)[-count - 1 :]
        if top[0] > 0:
            mean = float(np.mean(np.log(top[1:] / top[0])))
            out = min(out, 1 / mean if mean > 0 else math.inf)
    return out
