"""The largest learning rate at which a network still trains, per seed: a grid first, then bisection between what trains and what does not.

A run trains, or is stable, if it does not diverge and its mean loss over the last fifth of its steps is at most ``SHARE`` of both the loss
at the start and that of a guess: a network whose units all died sits at the guess and has not diverged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import stats

from optlab.data.textures import CLASSES
from optlab.experiments.experiment import Run
from optlab.experiments.sweep import Cell

SHARE = 0.95
RECORDS = 5  #: looks at a run: the last one holds the mean loss of the last fifth of the steps

Make = Callable[[float, int], Cell]  #: the cell of a learning rate and a seed


def stable(result: xr.Dataset) -> bool:
    """Whether a run of :mod:`optlab.experiments.norm_training` trains; see the module."""
    first, last = float(result.step_loss[0]), float(result.step_loss[-1])
    return int(result.diverged_at) < 0 and last <= SHARE * min(first, float(np.log(len(CLASSES))))


@dataclass(frozen=True)
class Limits:
    """Of one setup: ``below`` and ``above``, the largest rate known to train and the least one above it known not to, by seed.

    ``below`` is nan where no rate of the grid trains, ``above`` infinite where the highest does. ``runs`` are the grid's, rate by rate.
    """

    below: np.ndarray
    above: np.ndarray
    runs: list[list[xr.Dataset]]


def limits(run: Run, makes: Sequence[Make], rates: Sequence[float], seeds: Sequence[int], refine: int) -> list[Limits]:
    """The limits of every setup; ``refine`` bisections after the grid.

    It takes len(makes) len(seeds) (len(rates) + refine) cells at most.
    """
    cells = [make(rate, seed) for make in makes for rate in rates for seed in seeds]
    results = iter(run(cells))
    grids = [[[next(results) for _ in seeds] for _ in rates] for _ in makes]
    below, above = np.full((len(makes), len(seeds)), np.nan), np.full((len(makes), len(seeds)), np.inf)
    for m, grid in enumerate(grids):
        for s in range(len(seeds)):
            held = [k for k in range(len(rates)) if stable(grid[k][s])]
            below[m, s] = rates[held[-1]] if held else np.nan
            above[m, s] = (rates[held[-1] + 1] if held[-1] + 1 < len(rates) else np.inf) if held else rates[0]
    for _ in range(refine):
        places = [(m, s) for m in range(len(makes)) for s in range(len(seeds)) if np.isfinite(below[m, s]) and np.isfinite(above[m, s])]
        tried = [float(f"{np.sqrt(below[place] * above[place]):.4g}") for place in places]
        found = run([makes[m](rate, seeds[s]) for (m, s), rate in zip(places, tried, strict=True)])
        for place, rate, result in zip(places, tried, found, strict=True):
            (below if stable(result) else above)[place] = rate
    return [Limits(low, high, grid) for low, high, grid in zip(below, above, grids, strict=True)]


def interval(low: np.ndarray, high: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """(geometric mean, low, high) of numbers each known between two ends: Student's interval of the logarithms' mean, widened by the ends.

    nan where an end is missing or there are fewer than two; infinite above where an upper end is.

    >>> [round(v, 3) for v in interval(np.array([1.0, 1.0]), np.array([4.0, 4.0]), 0.99)]
    [2.0, 1.0, 4.0]
    """
    below, above = np.log(low), np.log(high)
    if len(low) < 2 or not np.isfinite(below).all():
        return float("nan"), float("nan"), float("nan")
    t = float(stats.t.isf((1 - confidence) / 2, len(low) - 1)) / np.sqrt(len(low))
    start = below.mean() - t * below.std(ddof=1)
    if not np.isfinite(above).all():
        return float(np.exp(below.mean())), float(np.exp(start)), float("inf")
    return float(np.exp((below + above).mean() / 2)), float(np.exp(start)), float(np.exp(above.mean() + t * above.std(ddof=1)))


def ratio(one: Limits, other: Limits, confidence: float) -> tuple[float, float, float]:
    """(geometric mean, low, high) of the limit of ``one`` over that of ``other``, paired by seed."""
    return interval(one.below / other.above, one.above / other.below, confidence)
