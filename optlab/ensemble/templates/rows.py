"""The loop over steps for ``f = mean_r l(x_r . theta, y_r)``: one trajectory after another, its coordinates side by side.

Rows and coordinates are padded with zeros to ``DIM``, a multiple of ``WIDTH``; sums run in vectors of ``WIDTH``, which is part of
what fixes their order (the rest: ``TOGETHER``, ``REST`` and ``STRANDS``, of :func:`optlab.ensemble.layout.order_of_sums`).
"""

# ruff: noqa: F821
import numpy as np
from numba import njit, uint64

from optlab.codegen.tracing import traced

# --- template ---
FULL, REPLACEMENT, SUBSET, RESHUFFLE = 0, 1, 2, 3
AHEAD = 8  # blocks of random words made at once
ROWS = 8  # rows fitted at once; what is kept per row has room for a multiple of it
VECTORS = DIM // WIDTH


@traced
def word_blocks(words, trajectory, block, purpose, key0, key1):
    """The words of ``AHEAD`` blocks of a trajectory's stream, in their order."""
    place = count_up(block, AHEAD)
    store_in_turn(words, 0, [word & 0xFFFFFFFF for word in rounds(trajectory, place & 0xFFFFFFFF, place >> 32, purpose, key0, key1)])


@traced
def row_blocks(words, trajectory, block, n, key0, key1):
    """The same, as rows drawn uniformly out of n: the high half of word * n."""
    place = count_up(block, AHEAD)
    drawn = rounds(trajectory, place & 0xFFFFFFFF, place >> 32, BATCH, key0, key1)
    store_in_turn(words, 0, [((word & 0xFFFFFFFF) * n) >> 32 for word in drawn])


@traced
def value_blocks(values, trajectory, block, law, key0, key1):
    place = count_up(block, AHEAD)
    words = rounds(trajectory, place & 0xFFFFFFFF, place >> 32, NOISE, key0, key1)
    for q, value in enumerate(block_values(words, law)):
        store(values, q * AHEAD, value)


@traced
def note_diverged_one(state, bound, since, i, run, step):
    before = load(since, run, 1)
    beyond = (bits(load(state, i, 1)) & NEVER) > load(bound, 0, 1)
    store(since, run, select(beyond & (before < 0), step, before))


@traced
def dot(matrix, at, point):
    """x . theta of the row at ``at``, in the order in which ``add_products`` sums it."""
    out = load(matrix, at, WIDTH) * load(point, 0, WIDTH)
    for k in range(1, VECTORS):
        out = fma(load(matrix, at + WIDTH * k, WIDTH), load(point, WIDTH * k, WIDTH), out)
    return total(out)


@traced
def no_products(point):
    return tuple(zeros(point, WIDTH, F) for _ in range(ROWS))


@traced
def places(picks, k):
    """Where the ``ROWS`` picked rows from k on begin."""
    return tuple(load(picks, k + r, 1) * DIM for r in range(ROWS))


@traced
def add_products(sums, matrix, rows, at, point):
    """Add the products of ``WIDTH`` coordinates to the sums of ``ROWS`` rows."""
    x = load(point, at, WIDTH)
    return tuple(fma(load(matrix, row + at, WIDTH), x, s) for row, s in zip(rows, sums, strict=True))


@traced
def put_fits(fits, goals, targets, picks, k, sums):
    """The rows' fits, and their targets beside them."""
    for r in range(0, ROWS, WIDTH):
        store(fits, k + r, totals(sums[r : r + WIDTH]))
    for r in range(ROWS):
        store(goals, k + r, load(targets, load(picks, k + r, 1), 1))


@traced
def slopes_in_place(fits, goals, k):
    fit = load(fits, k, WIDTH)
    store(fits, k, spread(piece_gradient(fit, load(goals, k, WIDTH)), fit))


@traced
def losses_in_place(fits, goals, k):
    fit = load(fits, k, WIDTH)
    store(fits, k, spread(piece_loss(fit, load(goals, k, WIDTH)), fit))


@traced
def many_sums(gradient):
    return tuple(zeros(gradient, WIDTH, F) for _ in range(TOGETHER))


@traced
def rest_sums(gradient):
    return tuple(zeros(gradient, WIDTH, F) for _ in range(max(REST, 1) * STRANDS))


@traced
def add_row(sums, matrix, picks, fits, k, at):
    row, slope = load(picks, k, 1) * DIM + at, load(fits, k, 1)
    return tuple(fma(slope, load(matrix, row + WIDTH * j, WIDTH), s) for j, s in enumerate(sums))


@traced
def add_few(sums, matrix, picks, fits, k, at):
    """Add ``STRANDS`` rows, each to sums of its own."""
    out = []
    for r in range(STRANDS):
        row, slope = load(picks, k + r, 1) * DIM + at, load(fits, k + r, 1)
        few = sums[r * max(REST, 1) : (r + 1) * max(REST, 1)]
        out += [fma(slope, load(matrix, row + WIDTH * j, WIDTH), s) for j, s in enumerate(few)]
    return tuple(out)


@traced
def put_sums(gradient, at, sums, factor):
    for k, s in enumerate(sums):
        store(gradient, at + WIDTH * k, s * factor)


@traced
def put_few(gradient, at, sums, factor):
    for j in range(REST):
        few = [sums[r * REST + j] for r in range(STRANDS)]
        while len(few) > 1:
            few = [a + b for a, b in zip(few[::2], few[1::2], strict=True)]
        store(gradient, at + WIDTH * j, few[0] * factor)


@traced
def take(target, k, source, place):
    store(target, k, load(source, place, 1))


@njit(forceinline=True)
def pick_rows(picks, order, words, word, trajectory, step, batch, n, most, mode, key0, key1):
    """Put the rows of this step's mini-batch into ``picks``; returns their number, and how many words are used up."""
    size, begin = most, 0
    if mode == RESHUFFLE:
        begin = step % ((n + batch - 1) // batch) * batch
        size = min(batch, n - begin)
    if mode == REPLACEMENT:
        done = 0
        while done < size:
            place = word & (4 * AHEAD - 1)
            if place == 0:
                row_blocks(words, trajectory, word >> 2, n, key0, key1)
            some = min(4 * AHEAD - place, size - done)
            for k in range(some):
                take(picks, done + k, words, place + k)
            done += some
            word += some
    elif mode != FULL:
        if mode == SUBSET or begin == 0:
            # a uniformly drawn subset in random order comes to the front (Fisher & Yates; Knuth's P)
            for k in range(size if mode == SUBSET else n):
                if word & (4 * AHEAD - 1) == 0:
                    word_blocks(words, trajectory, word >> 2, BATCH if mode == SUBSET else PERMUTATION, key0, key1)
                j = k + bounded(words[word & (4 * AHEAD - 1)], n - k)
                order[k], order[j] = order[j], order[k]
                word += 1
        for k in range(size):
            take(picks, k, order, begin + k)
    return size, word


@njit(forceinline=True)
def gradient_of(point, gradient, matrix, picks, fits, goals, targets, size):
    """The mean gradient of the picked rows: their fits first, then their slopes, then the rows' sums coordinate by coordinate.

    Behind the picked rows there are others, up to a multiple of ``ROWS``; their slopes count as zero.
    """
    for k in range(0, size, ROWS):
        fitted, rows = no_products(point), places(picks, k)
        for at in range(0, DIM, WIDTH):
            fitted = add_products(fitted, matrix, rows, at, point)
        put_fits(fits, goals, targets, picks, k, fitted)
    for k in range(0, size, WIDTH):
        slopes_in_place(fits, goals, k)
    for k in range(size, (size + ROWS - 1) // ROWS * ROWS):
        fits[k] = F(0.0)
    share = F(1.0) / F(size)
    for at in range(0, (VECTORS - REST) * WIDTH, TOGETHER * WIDTH):
        sums = many_sums(gradient)
        for k in range(size):
            sums = add_row(sums, matrix, picks, fits, k, at)
        put_sums(gradient, at, sums, share)
    if REST > 0:
        few = rest_sums(gradient)
        for k in range(0, size, STRANDS):
            few = add_few(few, matrix, picks, fits, k, (VECTORS - REST) * WIDTH)
        put_few(gradient, (VECTORS - REST) * WIDTH, few, share)


@njit(forceinline=True)
def loss_of(state, apart, matrix, turn, best, targets, fits, goals):
    """The loss over the whole table. For least squares ``least + |R (theta - best)|^2``, R (in ``turn``) the table's factor."""
    total_ = 0.0
    if QUADRATIC:
        for j in range(DIM):
            apart[j] = state[j] - best[j]
        for i in range(turn.shape[0] // DIM):
            fit = float(dot(turn, i * DIM, apart))
            total_ += fit * fit
        return float(best[DIM]) + total_
    n = targets.shape[0]
    size = fits.shape[0] // WIDTH * WIDTH
    for first in range(0, n, size):
        count = min(size, n - first)
        for k in range(count):
            fits[k] = dot(matrix, (first + k) * DIM, state)
            goals[k] = targets[first + k]
        for k in range(0, count, WIDTH):
            losses_in_place(fits, goals, k)
        for k in range(count):
            total_ += float(fits[k])
    return total_ / n


@njit(nogil=True, cache=True)
def run(
    first, count, stride, lanes, steps, records, constants, table, initial, start, noise, law, repeat, limit,
    best, matrix, turn, targets, batch, mode, key0, key1, levels,
    scattered, state, work, gradient, point, draws, ready, bound, now, goal, losses, snapshots, since, passage, stop,
    fits, goals, picks, order, words, values,
):  # fmt: skip
    """Simulate trajectories first .. first + count - 1: their losses and coordinates at the recorded steps, and when they diverged.

    Returns False if ``stop`` was set meanwhile: then the results are not complete.
    """
    d, n = start.shape[0], targets.shape[0]
    most = n if mode == FULL else batch
    for lane in range(count):
        trajectory = first + lane
        for i in range(d):
            state[i] = scattered[i * stride + lane] if scattered.shape[0] > 0 else start[i]
            for s in range(1, STATES):
                state[s * DIM + i] = initial[s - 1]
        for k in range(order.shape[0]):
            order[k] = k
        for k in range(WIDTH):
            bound[k] = limit
        level, r, word, value = 0, 0, 0, 0
        for step in range(steps + 1):
            recorded = records[r] == step
            if recorded or levels.shape[0] > 1:
                loss = loss_of(state, work, matrix, turn, best, targets, fits, goals)
                if recorded:
                    losses[r * stride + lane] = loss
                    if snapshots.shape[0] > 0:
                        for i in range(d):
                            snapshots[(r * d + i) * stride + lane] = state[i]
                    r += 1
                while level < levels.shape[0] - 1 and loss <= levels[level]:
                    passage[level * stride + lane] = step
                    level += 1
            if step == steps:
                break
            if stop[0] != 0:
                return False
            size, word = pick_rows(picks, order, words, word, trajectory, step, batch, n, most, mode, key0, key1)
            if noise > F(0.0):
                for i in range(d):
                    mean = F(0.0)
                    for _ in range(repeat):
                        if value % (PER_BLOCK * AHEAD) == 0:
                            value_blocks(values, trajectory, value // PER_BLOCK, law, key0, key1)
                        mean += values[value % PER_BLOCK * AHEAD + value // PER_BLOCK % AHEAD]
                        value += 1
                    draws[i] = mean / F(repeat)
            "mark: unpack"
            "mark: gradient"
            over = nothing_over(bound)
            "mark: advance"
            if some_over(over):
                for i in range(d):
                    note_diverged_one(state, bound, since, i, lane, step + 1)
                if since[lane] >= 0:
                    for k in range(WIDTH):
                        bound[k] = NEVER
    return True
