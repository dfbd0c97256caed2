"""Losses and gradients of ``f = mean_r l(x_r . theta, y_r)`` for one trajectory, in the order of sums of ``rows.py``.

A thread goes from row to row: the row's fit, its slope, and the slope times the row added to the gradient. The CPU's vectors of ``LANES``
coordinates are ``LANES`` sums here; its ``STRANDS`` sums of every so many-th row, which the coordinates from ``CUT`` on have, stand one
behind the other in ``gradient``. A table's rows are padded to ``ROW`` numbers, a multiple of ``LANES``; what a thread holds is not.
"""

# ruff: noqa: F821
import numpy as np

from optlab.codegen.cuda import njit, traced
from optlab.codegen.cuda_lanes import load_side_by_side

# --- template ---
FULL, REPLACEMENT, SUBSET, RESHUFFLE = 0, 1, 2, 3
BEYOND = DIM % LANES  # coordinates behind the last whole vector


@traced
def no_rows(start):
    """Nothing drawn yet."""
    return tuple(zeros(start, WIDTH, np.int64) for _ in range(4))


@traced
def rows_of(trajectory, block, n, key0, key1):
    """Four rows drawn uniformly out of n, from one block of the stream: the high half of word * n."""
    drawn = rounds(count_up(trajectory, WIDTH), block & 0xFFFFFFFF, block >> 32, BATCH, key0, key1)
    return tuple(signed(((word & 0xFFFFFFFF) * n) >> 32) for word in drawn)


@traced
def words_of(trajectory, block, purpose, key0, key1):
    """The four words of a block."""
    drawn = rounds(count_up(trajectory, WIDTH), block & 0xFFFFFFFF, block >> 32, purpose, key0, key1)
    return tuple(signed(word & 0xFFFFFFFF) for word in drawn)


@traced
def taken(drawn, place):
    return pick(drawn, place)


@traced
def below(words, place, n):
    """A whole number in [0, n), as :func:`optlab.ensemble.philox.bounded` makes it."""
    return (pick(words, place) * n) >> 32


@njit
def shuffled(order, lane, stride, trajectory, begin, size, n, mode, word, drawn, key0, key1):
    """Bring the rows of this step's mini-batch into their places in ``order``: Fisher & Yates, as on the CPU."""
    if mode == SUBSET or (mode == RESHUFFLE and begin == 0):
        for k in range(size if mode == SUBSET else n):
            place = word & 3
            if place == 0:
                drawn = words_of(trajectory, word >> 2, BATCH if mode == SUBSET else PERMUTATION, key0, key1)
            j = k + below(drawn, place, n - k)
            mine, other = order[k * stride + lane], order[j * stride + lane]
            order[k * stride + lane] = other
            order[j * stride + lane] = mine
            word += 1
    return word, drawn


@traced
def no_parts(start):
    return tuple(zeros(start, WIDTH, F) for _ in range(LANES))


@traced
def add_parts(parts, matrix, at, point, place, lanes):
    """Add the products of ``LANES`` coordinates to their sums."""
    row = load_side_by_side(matrix, at, LANES)
    return tuple(fma(x, load(point, place + lanes * j, WIDTH), s) for j, (x, s) in enumerate(zip(row, parts, strict=True)))


def together(parts):
    """The sum of as many numbers as the CPU's vectors have lanes, halves first."""
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [a + b for a, b in zip(parts[:half], parts[half:], strict=True)]
    return parts[0]


@traced
def fit_of(parts, matrix, at, point, place, lanes):
    """x . theta, with the coordinates behind the last whole vector."""
    parts = list(parts)
    for j, x in enumerate(load_side_by_side(matrix, at, LANES)[:BEYOND] if BEYOND > 0 else ()):
        parts[j] = fma(x, load(point, place + lanes * j, WIDTH), parts[j])
    return together(parts)


@traced
def add_apart(parts, turn, at, state, best, place, lanes):
    """As ``add_parts``, of the coordinates' distances from the best fit."""
    return tuple(
        fma(x, load(state, (place + j) * lanes, WIDTH) - load(best, place + j, WIDTH), s)
        for j, (x, s) in enumerate(zip(load_side_by_side(turn, at, LANES), parts, strict=True))
    )


@traced
def add_square(total_, parts, turn, at, state, best, place, lanes):
    """Add the square of what one row of the table's factor makes of these distances, squared in the working precision as on the CPU."""
    parts = list(parts)
    for j, x in enumerate(load_side_by_side(turn, at, LANES)[:BEYOND] if BEYOND > 0 else ()):
        parts[j] = fma(x, load(state, (place + j) * lanes, WIDTH) - load(best, place + j, WIDTH), parts[j])
    fit = together(parts)
    return total_ + widen(fit * fit)


@traced
def no_loss(now):
    return zeros(now, WIDTH, np.float64)


@traced
def put_above(now, best, total_):
    """The least loss, and what lies above it."""
    store(now, 0, widen(load(best, ROW, WIDTH)) + total_)


@traced
def add_row_loss(total_, fit, targets, row):
    return total_ + widen(spread(piece_loss(fit, load(targets, row, WIDTH)), fit))


@traced
def put_mean(now, total_, n):
    store(now, 0, total_ / to_float(n, np.float64))


@traced
def slope_of(fit, targets, row):
    return spread(piece_gradient(fit, load(targets, row, WIDTH)), fit)


@traced
def add_row(gradient, slope, matrix, at, place, lanes):
    """Add the slope times ``LANES`` numbers of a row to the gradient's sums."""
    for j, x in enumerate(load_side_by_side(matrix, at, LANES)):
        store(gradient, place + lanes * j, fma(slope, x, load(gradient, place + lanes * j, WIDTH)))


@traced
def add_beyond(gradient, slope, matrix, at, place, lanes):
    for j, x in enumerate(load_side_by_side(matrix, at, LANES)[:BEYOND] if BEYOND > 0 else ()):
        store(gradient, place + lanes * j, fma(slope, x, load(gradient, place + lanes * j, WIDTH)))


@traced
def mean_of_one(gradient, i, lanes, size):
    store(gradient, i * lanes, load(gradient, i * lanes, WIDTH) * (F(1.0) / to_float(size, F)))


@traced
def mean_of_strands(gradient, i, lanes, size):
    few = [load(gradient, (i + (DIM - CUT) * r) * lanes, WIDTH) for r in range(STRANDS)]
    while len(few) > 1:
        few = [a + b for a, b in zip(few[::2], few[1::2], strict=True)]
    store(gradient, i * lanes, few[0] * (F(1.0) / to_float(size, F)))


@traced
def add_draw(draws, values, place):
    """Add one of several values, of which the mean is wanted."""
    store(draws, 0, load(draws, 0, WIDTH) + pick(values, place))


@traced
def mean_draw(draws, repeat):
    store(draws, 0, load(draws, 0, WIDTH) / to_float(repeat, F))
