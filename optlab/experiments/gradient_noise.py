"""How mini-batches scatter the gradient of a linear model: the gradient-noise scale, at the start and at the optimum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GradientNoise:
    """How mini-batches scatter the gradient; C is the covariance over rows (divisor n) of one row's gradient.

    At the start McCandlish, Kaplan, Amodei et al., "An empirical model of large-batch training", arXiv:1812.06162, 2018:
    ``simple = tr C / |g|^2`` (their Eq. 2.9) and ``curved = tr(H C) / g'H g`` (Eq. 2.8), in rows: batches much smaller
    are dominated by noise, much larger ones are wasted. Both grow without limit towards the optimum, where g = 0. What
    is well defined there is the floor: constant steps alpha of SGD settle at an excess loss ``alpha tr C / (4 B)`` (to
    first order in alpha; Mandt, Hoffman & Blei, JMLR 18(134), 2017). ``at_optimum = tr C / (2 L f*)``, in rows, is that
    floor's own scale: with alpha = 1/L a batch of B rows settles at ``f* (1 + at_optimum / (2 B))``. It is None where
    the minimum f* is 0 (the model fits every row, and there is no floor).
    """

    trace_at_start: float  #: tr C at theta = 0, target^2 feature^2
    trace_at_optimum: float  #: sigma^2 = tr C at the minimizer
    simple: float | None  #: rows
    curved: float | None  #: rows
    at_optimum: float | None  #: rows
    floor_per_alpha: float  #: excess loss per unit of alpha that SGD settles at with this batch and sampling


def gradient_noise(X: np.ndarray, y: np.ndarray, best: np.ndarray, batch: int, sampling: str = "subset") -> GradientNoise:
    """The gradient noise of rows X (n, d) with targets y (n,), whose minimizer is best (d,); see :class:`GradientNoise`."""
    n = len(y)
    at_start, at_best = X * -y[:, None], X * (X @ best - y)[:, None]
    g = at_start.mean(0)
    trace, trace_best = (float(np.mean(np.sum((rows - rows.mean(0)) ** 2, 1))) for rows in (at_start, at_best))
    quadratic = float(np.mean(np.sum(at_start @ (X.T @ X / n) * at_start, 1)))
    slope = float(np.mean((X @ g) ** 2))
    minimum, start, L = float(np.mean((X @ best - y) ** 2) / 2), float(np.mean(y**2) / 2), float(np.linalg.norm(X, 2) ** 2 / n)
    factor = (n - batch) / max(n - 1, 1) if sampling == "subset" else 1.0
    square = float(g @ g)
    return GradientNoise(
        trace_at_start=trace, trace_at_optimum=trace_best, simple=trace / square if square else None,
        curved=(quadratic - slope) / slope if slope else None,
        at_optimum=trace_best / (2 * L * minimum) if minimum > 1e-20 * start else None, floor_per_alpha=trace_best * factor / (4 * batch),
    )  # fmt: skip
