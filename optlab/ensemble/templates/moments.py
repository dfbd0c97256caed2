"""Moments (count, mean, squares, least, greatest, not finite) of blocks of 64 numbers and of two parts together, in a fixed order.

The CPU sums a block in vectors of ``LANES``; a thread of a device lane by lane, in the same tree.
"""

# ruff: noqa: F821
import numpy as np

from optlab.codegen.lanes import load, select, store, to_float, widen, zeros
from optlab.codegen.tracing import traced

# --- template ---
LANES = 8  # of a block, in logical vectors: part of what fixes the order of the sums
LARGEST = 1.7976931348623157e308
MOMENTS = 6


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


def not_finite(value, width):
    """1 where it is inf or NaN, else 0."""
    return select(abs(value) <= LARGEST, zeros(value, width, np.float64), 1.0)


def column(values, at, width):
    """Every ``LANES``-th number of a block of 64 from ``at`` on, ``width`` side by side, as float64."""
    return [widen(load(values, at + LANES * k, width)) for k in range(BLOCK // LANES)]


def squares_of(block, mean):
    """The sum of squared distances from the mean."""
    apart = [value - mean for value in block]
    return pairwise([value * value for value in apart], add)


@traced
def plus(sum_, values, at):
    return sum_ + widen(load(values, at, 1))


@traced
def quotient(sum_, count):
    return sum_ / to_float(count, np.float64)


@traced
def put_one(values, at, mean, out, place):
    """Add a number's part to the squares, extremes and count of what is not finite."""
    value = widen(load(values, at, 1))
    apart = value - mean
    squares, low, high = (load(out, place + k, 1) for k in (2, 3, 4))
    store(out, place + 2, squares + apart * apart)
    store(out, place + 3, select(value < low, value, low))
    store(out, place + 4, select(value > high, value, high))
    store(out, place + 5, load(out, place + 5, 1) + not_finite(value, 1))


@njit
def part_block(values, at, active, out, place):
    """The moments of ``active`` numbers, fewer than 64, from ``at`` on, into ``out``."""
    sum_ = 0.0
    for k in range(active):
        sum_ = plus(sum_, values, at + k)
    mean = quotient(sum_, active)
    out[place], out[place + 1], out[place + 2], out[place + 3], out[place + 4], out[place + 5] = active, mean, 0.0, np.inf, -np.inf, 0.0
    for k in range(active):
        put_one(values, at + k, mean, out, place)


@traced
def join(left, at, right, beside):
    """Moments of both together, into ``left``: Chan, Golub & LeVeque's pairwise update."""
    count0, mean0, squares0, low0, high0, broken0 = (load(left, at + k, 1) for k in range(MOMENTS))
    count1, mean1, squares1, low1, high1, broken1 = (load(right, beside + k, 1) for k in range(MOMENTS))
    count = count0 + count1
    weight = count1 / count
    delta = mean1 - mean0
    store(left, at, count)
    store(left, at + 1, mean0 + delta * weight)
    store(left, at + 2, squares0 + (squares1 + delta * delta * (count0 * weight)))
    store(left, at + 3, select(low1 < low0, low1, low0))
    store(left, at + 4, select(high1 > high0, high1, high0))
    store(left, at + 5, broken0 + broken1)
