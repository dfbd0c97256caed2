"""Sums of powers of a layer's result by channel, about a number near their mean."""

# ruff: noqa: F821
import numba
import numpy as np
from numba import cuda

from optlab.codegen.cuda import kernel, traced

# --- template ---
MOMENTS = own_SUMS * THREADS


@traced
def no_moments(array):
    return tuple(zeros(array, 1, F) for _ in range(own_SUMS))


@traced
def no_moment_totals(array):
    return tuple(zeros(array, 1, np.float64) for _ in range(own_SUMS))


@traced
def number_of(result, at):
    return load(result, at, 1)


@traced
def moments_with(result, at, pivot, parts):
    return tuple(a + b for a, b in zip(parts, own_moments(load(result, at, 1) - pivot), strict=True))


@traced
def unshifted(totals, pivot, count):
    """The sums of powers themselves."""
    return tuple(own_unshifted(*totals, wide(pivot), to_float(count, np.float64)))


@kernel
def sums(result, partial, rows):
    """The sums over this block's rows."""
    spare = cuda.shared.array(MOMENTS, numba.float64)
    thread = cuda.threadIdx.x
    group = thread // COLUMNS
    channel = thread - group * COLUMNS + cuda.blockIdx.y * COLUMNS
    many = (rows + cuda.gridDim.x - 1) // cuda.gridDim.x
    row = cuda.blockIdx.x * many + group
    end = min(rows, (cuda.blockIdx.x + 1) * many)
    totals = no_moment_totals(result)
    pivot, count = F(0.0), 0
    if channel < K and row < end:
        pivot = number_of(result, row * K + channel)
    while channel < K and row < end:
        parts = no_moments(result)
        stop = min(end, row + AT_ONCE * GROUPS)
        while row < stop:
            parts = moments_with(result, row * K + channel, pivot, parts)
            row += GROUPS
            count += 1
        totals = added(totals, parts)
    leave(spare, unshifted(totals, pivot, count), thread)
    cuda.syncthreads()
    if thread < COLUMNS and channel < K:
        for k in range(own_SUMS):
            total = spare[k * THREADS + thread]
            for g in range(1, GROUPS):
                total += spare[k * THREADS + g * COLUMNS + thread]
            partial[(cuda.blockIdx.x * own_SUMS + k) * K + channel] = total
