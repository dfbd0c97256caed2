"""Reducing chunks in a fixed order, and reading quantiles out of integer histograms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.ensemble.kernel import BINS_PER_OCTAVE, COARSE_BELOW, FINE_OCTAVES, HALF_BINS, LOWEST_EXPONENT

BINS = 2 * HALF_BINS + 1
COUNT, MEAN, M2, LOW, HIGH, NONFINITE = range(6)


@dataclass
class Totals:
    """Running statistics over trajectories. Shapes: moments (records, 6), coordinates (records, d, 3), histogram (records, bins)."""

    moments: np.ndarray
    coordinates: np.ndarray
    histogram: np.ndarray
    diverged: np.ndarray

    @staticmethod
    def empty(records: int, coordinates: int) -> Totals:
        return Totals(
            empty_moments(records), np.zeros((records, coordinates, 3)), np.zeros((records, BINS), np.int64), np.zeros(records, np.int64)
        )


def empty_moments(*shape: int) -> np.ndarray:
    """Moments of no values: count, mean, M2 = 0, least = inf, greatest = -inf, non-finite = 0."""
    out = np.zeros((*shape, 6))
    out[..., LOW], out[..., HIGH] = np.inf, -np.inf
    return out


def merge(total: np.ndarray, part: np.ndarray) -> None:
    """Add ``part`` (count, mean, M2, ...) to ``total`` in place: Chan, Golub & LeVeque's pairwise update."""
    with np.errstate(all="ignore"):
        count = total[..., COUNT] + part[..., COUNT]
        weight = part[..., COUNT] / np.maximum(count, 1)
        delta = part[..., MEAN] - total[..., MEAN]
        total[..., MEAN] += delta * weight
        total[..., M2] += part[..., M2] + delta * delta * (total[..., COUNT] * weight)
        total[..., COUNT] = count
        if total.shape[-1] == 6:
            total[..., LOW] = np.minimum(total[..., LOW], part[..., LOW])
            total[..., HIGH] = np.maximum(total[..., HIGH], part[..., HIGH])
            total[..., NONFINITE] += part[..., NONFINITE]


def bin_edge(index: np.ndarray) -> np.ndarray:
    """The loss at the inner edge of a histogram bin (the one nearer to zero)."""
    place = np.abs(index - HALF_BINS) - 1 - COARSE_BELOW
    octave, part = np.divmod(place, BINS_PER_OCTAVE)
    above = place - FINE_OCTAVES * (BINS_PER_OCTAVE - 1)
    octave = np.where(place < 0, place, np.where(octave < FINE_OCTAVES, octave, above))
    part = np.where((place < 0) | (octave >= FINE_OCTAVES), 0, part)
    with np.errstate(over="ignore"):
        magnitude = np.ldexp(0.5 + part / (2 * BINS_PER_OCTAVE), octave + LOWEST_EXPONENT)
    return np.where(index == HALF_BINS, 0.0, np.sign(index - HALF_BINS) * magnitude)


def quantiles(totals: Totals, levels: tuple[float, ...]) -> np.ndarray:
    """Quantiles of the loss, shape (levels, records), within one part in 64 of the true order statistic.

    Losses outside 2^-161 .. 2^95 in size are only counted by octave: there it is within a factor of 2.
    The result depends on the counts alone, so it is the same for any order of merging.
    """
    out = np.empty((len(levels), len(totals.histogram)))
    for r, counts in enumerate(totals.histogram):
        cumulative = np.cumsum(counts)
        low, high = totals.moments[r, LOW], totals.moments[r, HIGH]
        for q, level in enumerate(levels):
            rank = level * max(int(cumulative[-1]) - 1, 0)
            index = int(np.searchsorted(cumulative, rank, side="right"))
            if index == BINS - 1:
                out[q, r] = np.inf
                continue
            before = cumulative[index] - counts[index]
            part = (rank - before + 0.5) / counts[index]
            side = 1 if index > HALF_BINS else -1
            inner, outer = bin_edge(np.array([index, index + side])) if index != HALF_BINS else (0.0, 0.0)
            value = inner + (outer - inner) * (part if side > 0 else 1 - part)
            out[q, r] = min(max(value, low), high)
    return out
