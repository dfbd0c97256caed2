"""The loop over steps for ``f = mean_r l(x_r . theta, y_r)``: one trajectory after another, its coordinates side by side.

Rows and coordinates are padded with zeros to ``DIM``, a multiple of ``WIDTH``; sums run in vectors of ``WIDTH``, which is part of
what fixes their order.
"""

# ruff: noqa: F821
import numpy as np
from numba import njit, uint64

from optlab.codegen.lanes import traced

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
def start_blocks(values, trajectory, block, key0, key1):
    place = count_up(block, AHEAD)
    for q, value in enumerate(normals(rounds(trajectory, place, 0, INITIALIZATION, key0, key1), F)):
        store(values, q * AHEAD, value)


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
def loss_of(state, apart, matrix, turn, best, least, targets, fits, goals):
    """The loss over the whole table. For least squares ``least + c |R (theta - best)|^2``, R (in ``turn``) the table's triangular factor."""
    total_ = 0.0
    if QUADRATIC:
        for j in range(DIM):
            apart[j] = state[j] - best[j]
        for i in range(turn.shape[0] // DIM):
            fit = float(dot(turn, i * DIM, apart))
            total_ += fit * fit
        return least + total_
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
    first, count, lanes, steps, records, constants, table, initial, start, scatter, noise, law, repeat, limit,
    best, matrix, turn, targets, batch, mode, key, levels, losses, snapshots, since, passage, stop,
):  # fmt: skip
    """Simulate trajectories first .. first + count - 1: their losses and coordinates at the recorded steps, and when they diverged.

    Returns False if ``stop`` was set meanwhile: then the results are not complete.
    """
    d, n = start.shape[0], targets.shape[0]
    stride = since.shape[0]
    tracked = levels.shape[0] > 0
    least = 0.0
    if QUADRATIC:
        least = best[DIM]
    state = np.zeros(STATES * DIM, F)
    magnitudes = state.view(BITS)
    apart, gradient, point, draws = np.zeros(DIM, F), np.zeros(DIM, F), np.zeros(DIM, F), np.zeros(DIM, F)
    most = n if mode == FULL else batch
    room = (max(most, 64) + WIDTH - 1) // WIDTH * WIDTH
    fits, goals = np.zeros(room, F), np.zeros(room, F)
    picks = np.zeros(most, np.int64)
    order = np.empty(n if mode >= SUBSET else 0, np.int64)
    words, values = np.empty(4 * AHEAD, np.uint64), np.empty(4 * AHEAD, F)
    bound = np.empty(WIDTH, BITS)
    now, goal, level = np.empty(1, np.float64), np.empty(1, np.float64), np.empty(1, np.int64)
    key0, key1 = key[0], key[1]
    for k in range(picks.shape[0]):
        picks[k] = k
    for lane in range(count):
        trajectory = first + lane
        for k in range(STATES * DIM):
            state[k] = F(0.0)
        for i in range(d):
            if scatter > F(0.0) and i % (4 * AHEAD) == 0:
                start_blocks(values, trajectory, i // 4, key0, key1)
            state[i] = start[i]
            if scatter > F(0.0):
                state[i] += scatter * values[(i % 4) * AHEAD + (i // 4) % AHEAD]
            for s in range(1, STATES):
                state[s * DIM + i] = initial[s - 1]
        for k in range(order.shape[0]):
            order[k] = k
        for k in range(WIDTH):
            bound[k] = limit
        level[0] = 0
        goal[0] = levels[0] if tracked else -np.inf
        r, word, value = 0, 0, 0
        for step in range(steps + 1):
            recorded = r < records.shape[0] and records[r] == step
            if recorded or tracked:
                now[0] = loss_of(state, apart, matrix, turn, best, least, targets, fits, goals)
                if recorded:
                    losses[r * stride + lane] = now[0]
                    if snapshots.shape[0] > 0:
                        for i in range(d):
                            snapshots[(r * d + i) * stride + lane] = state[i]
                    r += 1
                if now[0] <= goal[0]:
                    mark_reached(now, goal, level, levels, passage, lane, step, 1)
            if step == steps:
                break
            if stop[0] != 0:
                return False
            size, begin = most, 0
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
                # a uniformly drawn subset in random order comes to the front (Fisher & Yates; Knuth's P)
                if mode == SUBSET or begin == 0:
                    for k in range(size if mode == SUBSET else n):
                        if word % (4 * AHEAD) == 0:
                            word_blocks(words, trajectory, word // 4, BATCH if mode == SUBSET else PERMUTATION, key0, key1)
                        j = k + bounded(words[(word % 4) * AHEAD + (word // 4) % AHEAD], n - k)
                        order[k], order[j] = order[j], order[k]
                        word += 1
                for k in range(size):
                    picks[k] = order[begin + k]
            if noise > F(0.0):
                for i in range(d):
                    mean = F(0.0)
                    for _ in range(repeat):
                        if value % (PER_BLOCK * AHEAD) == 0:
                            value_blocks(values, trajectory, value // PER_BLOCK, law, key0, key1)
                        mean += values[(value % PER_BLOCK) * AHEAD + (value // PER_BLOCK) % AHEAD]
                        value += 1
                    draws[i] = mean / F(repeat)
            # --- unpack ---
            # --- gradient ---
            over = nothing_over(bound)
            # --- advance ---
            if some_over(over):
                mark_diverged(magnitudes, bound, since, lane, step + 1, 1, d)
                for k in range(1, WIDTH):
                    bound[k] = bound[0]
    return True
