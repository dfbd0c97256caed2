"""Whether a simulation agrees with an exact prediction, at a stated false-alarm probability."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import log_ndtr

FALSE_ALARM = 1e-9  #: probability that a correct program fails one such check, all its points together


def z_threshold(points: int, runs: int, false_alarm: float = FALSE_ALARM) -> float:
    """The |z| that means of ``runs`` quadratic losses exceed somewhere among ``points`` with probability ``false_alarm``.

    A union bound over the points. A loss is a positive sum of squared normals, whose skewness is at most sqrt(8), so the
    normal tail is multiplied by its Edgeworth factor exp(z^3 sqrt(8 / runs) / 6) (Feller, vol. II, XVI.7).

    >>> round(z_threshold(1, 10**12), 2)
    6.11
    """

    def excess(z: float) -> float:
        skew = z**3 * math.sqrt(8 / runs) / 6
        return math.log(2 * points) + float(log_ndtr(-z)) + min(skew, z**2 / 4) - math.log(false_alarm)

    low, high = 1.0, 60.0  # excess falls from positive to negative between them
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return high


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
        return self.largest <= self.threshold


def compare(simulated: xr.Dataset, exact: xr.Dataset, *, comparisons: int = 1) -> Agreement:
    """Hold simulated mean losses against exact ones. ``comparisons`` is how many such checks share the false-alarm probability.

    The exact variance of the loss scales z where it is known, else the simulated one. Points without variance (the
    start, the noiseless steps) must agree to rounding instead: they count as |z| = infinity if they do not.
    """
    runs = int(simulated.attrs["trajectories"])
    difference = (simulated.loss_mean - exact.loss_mean).values
    variance = (exact if "loss_variance" in exact else simulated).loss_variance.values
    scale = np.abs(exact.loss_mean.values)
    tiny = variance <= (1e-12 * scale) ** 2
    z = np.where(tiny, 0.0, np.abs(difference) / np.sqrt(np.where(tiny, 1.0, variance) / runs))
    z = np.where(tiny & (np.abs(difference) > 1e-9 * np.maximum(scale, 1e-300)), np.inf, z)
    worst = int(np.argmax(z))
    points = int((~tiny).sum())
    return Agreement(
        str(simulated.attrs["rule"]), str(simulated.attrs["problem"]), points, float(z[worst]), int(simulated.step[worst]),
        z_threshold(max(points, 1) * comparisons, runs),
    )  # fmt: skip
