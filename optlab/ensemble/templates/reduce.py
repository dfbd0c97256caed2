"""From losses of a chunk of trajectories to moments and counts. Sums follow a fixed binary tree over blocks of 64."""

import math

import numpy as np
from numba import njit, uint64

from optlab.codegen.lanes import fold, load, select, total, widen, zeros
from optlab.codegen.tracing import traced

BLOCK = 64

# --- template ---
LANES = 8  # of a block, in logical vectors: part of what fixes the order of the sums
LARGEST = 1.7976931348623157e308


def pairwise(values, combine):
    while len(values) > 1:
        values = [combine(a, b) for a, b in zip(values[::2], values[1::2], strict=True)]
    return values[0]


def add(x, y):
    return x + y


def smaller(x, y):
    return select((y < x) | (x != x), y, x)  # a NaN gives way


def larger(x, y):
    return select((y > x) | (x != x), y, x)


@traced
def whole_block(values, at):
    """Mean, sum of squared deviations, least, greatest and number of values that are not finite, of 64."""
    block = [widen(load(values, at + LANES * k, LANES)) for k in range(BLOCK // LANES)]
    mean = total(pairwise(block, add)) * (1.0 / BLOCK)
    apart = [value - mean for value in block]
    squares = total(pairwise([value * value for value in apart], add))
    broken = total(pairwise([select(abs(value) <= LARGEST, zeros(value, LANES, np.float64), 1.0) for value in block], add))
    return mean, squares, fold(pairwise(block, smaller), smaller), fold(pairwise(block, larger), larger), broken


@njit
def part_block(values, at, active, out):
    """The same of fewer than 64."""
    sum_ = 0.0
    for k in range(active):
        sum_ += values[at + k]
    mean = sum_ / active
    squares, low, high, broken = 0.0, np.inf, -np.inf, 0.0
    for k in range(active):
        value = float(values[at + k])
        squares += (value - mean) ** 2
        low = value if value < low else low
        high = value if value > high else high
        broken += 0.0 if abs(value) <= LARGEST else 1.0
    out[0], out[1], out[2], out[3], out[4], out[5] = active, mean, squares, low, high, broken


@njit
def join(left, right):
    """Moments of both together, into ``left``: Chan, Golub & LeVeque's pairwise update."""
    count = left[0] + right[0]
    weight = right[0] / count
    delta = right[1] - left[1]
    left[1] += delta * weight
    left[2] += right[2] + delta * delta * (left[0] * weight)
    left[0] = count
    left[3] = min(left[3], right[3])
    left[4] = max(left[4], right[4])
    left[5] += right[5]


@njit(nogil=True, cache=True)
def reduce_rows(values, rows, stride, count, moments):
    """Moments (count, mean, squares, least, greatest, not finite) of each row's first ``count`` values."""
    stack = np.empty((64, 6))
    blocks = (count + BLOCK - 1) // BLOCK
    for row in range(rows):
        depth = 0
        for block in range(blocks):
            at = row * stride + block * BLOCK
            if count - block * BLOCK >= BLOCK:
                mean, squares, low, high, broken = whole_block(values, at)
                top = stack[depth]
                top[0], top[1], top[2], top[3], top[4], top[5] = BLOCK, mean, squares, low, high, broken
            else:
                part_block(values, at, count - block * BLOCK, stack[depth])
            depth += 1
            place = block
            while place & 1:
                join(stack[depth - 2], stack[depth - 1])
                depth -= 1
                place >>= 1
        while depth > 1:
            join(stack[depth - 2], stack[depth - 1])
            depth -= 1
        for k in range(6):
            moments[row, k] = stack[0, k]


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
