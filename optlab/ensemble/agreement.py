"""Whether a simulation agrees with an exact prediction, at a stated false-alarm probability."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from optlab.errors import UnsupportedError

FALSE_ALARM = 1e-9  #: probability that a correct program fails one such check, all its points together


def z_threshold(points: int, runs: int, false_alarm: float = FALSE_ALARM, *, estimated_variance: bool = False) -> float:
    """The |z| that means of ``runs`` quadratic losses exceed somewhere among ``points`` with probability below ``false_alarm``.

    A quadratic loss is a weighted sum of squared normals, whose mean over n runs satisfies
    ``P(|z| > sqrt(2 x) + x sqrt(2 / n)) <= 2 exp(-x)`` (Laurent & Massart, Ann. Statist. 28(5), 2000, Lemma 1); the union over
    the points gives x. Where the variance is that of the runs themselves it may come out too small: by at most the
    fraction ``sqrt(60 x / n)`` with that probability (Maurer, J. Inequal. Pure Appl. Math. 4(1), 2003; the kurtosis of a
    squared normal is 15, and twice that is allowed for). The threshold is infinite where the runs are too few to tell anything.

    >>> round(z_threshold(1, 10**6), 2), z_threshold(1, 100, estimated_variance=True)
    (6.57, inf)
    """
    x = math.log(2 * points * (2 if estimated_variance else 1) / false_alarm)
    z = math.sqrt(2 * x) + x * math.sqrt(2 / runs)
    lost = math.sqrt(60 * x / runs) if estimated_variance else 0.0
    return z / math.sqrt(1 - lost) if lost < 1 else math.inf


@dataclass(frozen=True)
class Agreement:
    """The largest |z| of simulated minus exact mean loss, and the threshold it was held against."""

    rule: str
    problem: str
    points: int
    largest: float
    at_step: int
    threshold: float

    @property
    def holds(self) -> bool:
        """Whether every point lies within the threshold."""
        return math.isfinite(self.largest) and self.largest <= self.threshold


def has_threshold(exact: xr.Dataset) -> bool:
    """Whether :func:`compare` can say how far means may lie from this prediction: the noise is normal, or that of mini-batches."""
    return "noise_law" not in exact.attrs


def compare(simulated: xr.Dataset, exact: xr.Dataset, *, comparisons: int = 1) -> Agreement:
    """Hold simulated mean losses against exact ones. ``comparisons`` is how many such checks share the false-alarm probability.

    The exact variance of the loss scales z where it is known, else the simulated one. Points without variance (the
    start, the noiseless steps) must agree to rounding instead: they count as |z| = infinity if they do not.

    Raises UnsupportedError for noise of another law than the Gaussian: how far means stray then is not bounded by the variance.
    """
    if not has_threshold(exact):
        raise UnsupportedError(f"no false-alarm probability under noise_law = {exact.attrs['noise_law']}: losses have heavier tails there")
    runs = int(simulated.attrs["trajectories"])
    known = exact if "loss_variance" in exact else simulated
    mean, expected, variance = simulated.loss_mean.values, exact.loss_mean.values, known.loss_variance.values
    scale, representable = np.abs(expected), np.isfinite(mean) & np.isfinite(expected)
    with np.errstate(over="ignore", invalid="ignore"):
        difference = np.abs(mean - expected)
        certain = ~(variance > (1e-12 * scale) ** 2)
        off = difference > 1e-9 * np.maximum(scale, 1e-300)
        z = np.where(certain, np.where(off, np.inf, 0.0), difference / np.sqrt(np.where(certain, 1.0, variance) / runs))
    # beyond the range of floating point only the fact itself can be compared
    z = np.where(representable, np.where(np.isfinite(variance), z, 0.0), np.where(np.isfinite(mean) == np.isfinite(expected), 0.0, np.inf))
    tested = representable & np.isfinite(variance) & ~certain
    worst = int(np.argmax(z))
    points = int(tested.sum())
    return Agreement(
        str(simulated.attrs["rule"]), str(simulated.attrs["problem"]), points, float(z[worst]), int(simulated.step[worst]),
        z_threshold(max(points, 1) * comparisons, runs, estimated_variance=exact is not known),
    )  # fmt: skip
