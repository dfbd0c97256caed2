"""The loop over steps for ``f = mean_r l(x_r . theta, y_r)``: one trajectory after another, its coordinates side by side.

Rows and coordinates are padded with zeros to ``DIM``, a multiple of ``WIDTH``; sums run in vectors of ``WIDTH``, which is part of
what fixes their order.
"""

# ruff: noqa: F821
import numpy as np
from numba import njit, uint64

from optlab.codegen.tracing import traced

# --- template ---
FULL, REPLACEMENT, SUBSET, RESHUFFLE = 0, 1, 2, 3
AHEAD = 8  # blocks of random words made at once
VECTORS = DIM // WIDTH
TOGETHER = 4  # vectors summed side by side
REST = VECTORS % TOGETHER


@traced
def word_blocks(words, trajectory, block, purpose, key0, key1):
    """``AHEAD`` blocks of a trajectory's stream: word q of block b goes to ``q * AHEAD + b``."""
    place = count_up(block, AHEAD)
    for q, word in enumerate(rounds(trajectory, place & 0xFFFFFFFF, place >> 32, purpose, key0, key1)):
        store(words, q * AHEAD, word & 0xFFFFFFFF)


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
    """x . theta of the row at ``at``: sums of every fourth vector, then over those, then over the lanes."""
    sums = [load(matrix, at + WIDTH * k, WIDTH) * load(point, WIDTH * k, WIDTH) for k in range(min(TOGETHER, VECTORS))]
    for k in range(TOGETHER, VECTORS):
        q = k % TOGETHER
        sums[q] = fma(load(matrix, at + WIDTH * k, WIDTH), load(point, WIDTH * k, WIDTH), sums[q])
    while len(sums) > 1:
        sums = [sums[0] + sums[1], *sums[2:]]
    return total(sums[0])


@traced
def slopes_in_place(fits, goals, k):
    fit = load(fits, k, WIDTH)
    store(fits, k, spread(piece_gradient(fit, load(goals, k, WIDTH)), fit))


@traced
def losses_in_place(fits, goals, k):
    fit = load(fits, k, WIDTH)
    store(fits, k, spread(piece_loss(fit, load(goals, k, WIDTH)), fit))


@traced
def four_sums(gradient):
    return tuple(zeros(gradient, WIDTH, F) for _ in range(TOGETHER))


@traced
def rest_sums(gradient):
    return tuple(zeros(gradient, WIDTH, F) for _ in range(max(REST, 1)))


@traced
def add_row(sums, matrix, at, slope):
    return tuple(fma(slope, load(matrix, at + WIDTH * k, WIDTH), s) for k, s in enumerate(sums))


@traced
def put_sums(gradient, at, sums, factor):
    for k, s in enumerate(sums):
        store(gradient, at + WIDTH * k, s * factor)


@njit
def pick_rows(picks, order, words, word, trajectory, step, batch, n, mode, key0, key1):
    """Put the rows of this step's mini-batch into ``picks``; returns their number, and how many words are used up."""
    size, begin = picks.shape[0], 0
    if mode == RESHUFFLE:
        begin = step % ((n + batch - 1) // batch) * batch
        size = min(batch, n - begin)
    if mode == REPLACEMENT:
        for k in range(size):
            if word % (4 * AHEAD) == 0:
                word_blocks(words, trajectory, word // 4, BATCH, key0, key1)
            picks[k] = bounded(words[(word % 4) * AHEAD + (word // 4) % AHEAD], n)
            word += 1
    elif mode != FULL:
        if mode == SUBSET or begin == 0:
            # a uniformly drawn subset in random order comes to the front (Fisher & Yates; Knuth's P)
            for k in range(size if mode == SUBSET else n):
                if word % (4 * AHEAD) == 0:
                    word_blocks(words, trajectory, word // 4, BATCH if mode == SUBSET else PERMUTATION, key0, key1)
                j = k + bounded(words[(word % 4) * AHEAD + (word // 4) % AHEAD], n - k)
                order[k], order[j] = order[j], order[k]
                word += 1
        for k in range(size):
            picks[k] = order[begin + k]
    return size, word


@njit
def gradient_of(point, gradient, matrix, picks, fits, goals, targets, size):
    """The mean gradient of the picked rows: their fits first, then their slopes, then the rows' sums coordinate by coordinate."""
    for k in range(size):
        fits[k] = dot(matrix, picks[k] * DIM, point)
        goals[k] = targets[picks[k]]
    for k in range(0, size, WIDTH):
        slopes_in_place(fits, goals, k)
    share = F(1.0) / F(size)
    for at in range(0, (VECTORS - REST) * WIDTH, TOGETHER * WIDTH):
        sums = four_sums(gradient)
        for k in range(size):
            sums = add_row(sums, matrix, picks[k] * DIM + at, fits[k])
        put_sums(gradient, at, sums, share)
    if REST > 0:
        at = (VECTORS - REST) * WIDTH
        few = rest_sums(gradient)
        for k in range(size):
            few = add_row(few, matrix, picks[k] * DIM + at, fits[k])
        put_sums(gradient, at, few, share)


@njit
def loss_of(state, apart, matrix, turn, best, targets, fits, goals):
    """The loss over the whole table. For least squares ``least + c |R (theta - best)|^2``, R (in ``turn``) the table's triangular factor."""
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
            size, word = pick_rows(picks, order, words, word, trajectory, step, batch, n, mode, key0, key1)
            if noise > F(0.0):
                for i in range(d):
                    mean = F(0.0)
                    for _ in range(repeat):
                        if value % (PER_BLOCK * AHEAD) == 0:
                            value_blocks(values, trajectory, value // PER_BLOCK, law, key0, key1)
                        mean += values[(value % PER_BLOCK) * AHEAD + (value // PER_BLOCK) % AHEAD]
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
