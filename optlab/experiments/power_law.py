"""The exponent of a power law y = c x^p, by least squares of log y on log x, with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95
METHOD = (
    "least squares of log y on log x; 95 % interval by Student's t from the residuals about the line (n - 2 degrees of freedom), "
    "so that it holds bends as well as noise"
)


@dataclass(frozen=True)
class PowerLaw:
    """``low`` and ``high`` are the ends of the interval of the exponent; all are nan for fewer than three points."""

    exponent: float
    low: float
    high: float
    scale: float  #: c
    points: int

    def text(self) -> str:
        """The exponent with its interval."""
        return f"{self.exponent:.2f} [{self.low:.2f}, {self.high:.2f}]" if self.points > 2 else "-"


def power_law(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> PowerLaw:
    """The power law through the points that are positive and finite.

    >>> fit = power_law([1, 10, 100, 1000], [2, 20, 200, 2000])
    >>> round(fit.exponent, 9), fit.points, round(fit.high - fit.low, 6)
    (1.0, 4, 0.0)
    """
    across, up = np.asarray(x, float), np.asarray(y, float)
    with np.errstate(invalid="ignore"):
        kept = np.isfinite(across) & np.isfinite(up) & (across > 0) & (up > 0)
    u, v, n = np.log(across[kept]), np.log(up[kept]), int(kept.sum())
    if n < 3 or np.ptp(u) == 0:
        return PowerLaw(math.nan, math.nan, math.nan, math.nan, n)
    spread = np.sum((u - u.mean()) ** 2)
    slope = float(np.sum((u - u.mean()) * (v - v.mean())) / spread)
    left = v - v.mean() - slope * (u - u.mean())
    half = float(stdtrit(n - 2, (1 + CONFIDENCE) / 2) * math.sqrt(np.sum(left**2) / (n - 2) / spread))
    return PowerLaw(slope, slope - half, slope + half, float(np.exp(v.mean() - slope * u.mean())), n)
