"""From losses of a chunk of trajectories to moments and counts, behind ``moments.py``. Sums follow a fixed tree over blocks of 64."""

# ruff: noqa: F821
import numpy as np
from numba import njit, uint64

from optlab.codegen.lanes import fold, total
from optlab.codegen.tracing import traced

# --- template ---


@traced
def whole_block(values, at):
    """Mean, sum of squared deviations, least, greatest and number of values that are not finite, of 64."""
    block = column(values, at, LANES)
    mean = total(pairwise(block, add)) * (1.0 / BLOCK)
    squares = total(squares_of(block, mean))
    broken = total(pairwise([not_finite(value, LANES) for value in block], add))
    return mean, squares, fold(pairwise(block, smaller), smaller), fold(pairwise(block, larger), larger), broken


@njit(nogil=True, cache=True)
def reduce_rows(values, rows, stride, count, moments):
    """Moments (count, mean, squares, least, greatest, not finite) of each row's first ``count`` values."""
    stack = np.empty(64 * MOMENTS)
    blocks = (count + BLOCK - 1) // BLOCK
    for row in range(rows):
        depth = 0
        for block in range(blocks):
            at = row * stride + block * BLOCK
            if count - block * BLOCK >= BLOCK:
                mean, squares, low, high, broken = whole_block(values, at)
                top = stack[depth * MOMENTS :]
                top[0], top[1], top[2], top[3], top[4], top[5] = BLOCK, mean, squares, low, high, broken
            else:
                part_block(values, at, count - block * BLOCK, stack, depth * MOMENTS)
            depth += 1
            place = block
            while place & 1:
                join(stack, (depth - 2) * MOMENTS, stack, (depth - 1) * MOMENTS)
                depth -= 1
                place >>= 1
        while depth > 1:
            join(stack, (depth - 2) * MOMENTS, stack, (depth - 1) * MOMENTS)
            depth -= 1
        for k in range(MOMENTS):
            moments[row, k] = stack[k]


@njit(nogil=True, cache=True)
def tally(words, rows, stride, count, begin, pages, pool, used):
    """Count losses by the first 18 bits of their float64; each sign and octave of a row gets a page of 64 counts when it occurs.

    ``pages[sign and exponent, row]`` is the page's number, from 1: octaves that occur lie side by side in memory.
    Returns how many values are counted: all, unless pages ran out.
    """
    for place in range(begin, rows * count):
        row = place // count
        word = words[row * stride + place % count]
        if (word & uint64(0x7FFFFFFFFFFFFFFF)) > uint64(0x7FF0000000000000):
            word = uint64(0x7FF0000000000000)  # NaN stands with infinity
        octave = word >> uint64(52)
        page = pages[octave, row]
        if page == 0:
            if used[0] == pool.shape[0]:
                return place
            used[0] += 1
            page = used[0]
            pages[octave, row] = page
        pool[page - 1, (word >> uint64(46)) & uint64(63)] += np.uint32(1)
    return rows * count


@njit(nogil=True, cache=True)
def count_events(since, passage, count, records, width, diverged, reached):
    """Count divergences by the first recorded step not before them, and first passages by step."""
    for lane in range(count):
        if since[lane] >= 0:
            diverged[np.searchsorted(records, since[lane])] += 1
        for level in range(reached.shape[0]):
            if passage[level, lane] >= 0:
                reached[level, passage[level, lane] // width] += 1
