"""The loop over steps for trajectories that advance side by side, one to a lane; pasted behind the functions it calls.

Arrays are flat: coordinate i of lane group stands at ``i * lanes + group``, state s another ``s * d * lanes`` on.
"""

# ruff: noqa: F821
import numpy as np
from numba import njit

from optlab.codegen.lanes import traced


# --- template ---
@traced
def draw_block(draws, group, lanes, first, block, law, key0, key1):
    """The values of one block of the noise stream; they become consecutive rows of ``draws``."""
    words = rounds(count_up(first + group, WIDTH), block & 0xFFFFFFFF, block >> 32, NOISE, key0, key1)
    for place, value in enumerate(block_values(words, law)):
        store(draws, place * lanes + group, value)


@traced
def start_block(buffer, group, lanes, first, block, key0, key1):
    words = rounds(count_up(first + group, WIDTH), block, 0, INITIALIZATION, key0, key1)
    for place, value in enumerate(normals(words, F)):
        store(buffer, place * lanes + group, value)


@traced
def add_scaled(target, at, scale, source, row):
    store(target, at, fma(scale, load(source, row, WIDTH), load(target, at, WIDTH)))


@traced
def scale_row(target, at, factor):
    store(target, at, load(target, at, WIDTH) * factor)


@traced
def some_reached(now, goal, group):
    return any_of(load(now, group, WIDTH) <= load(goal, group, WIDTH))


@njit
def scatter_start(state, scatter, lanes, d, first, key0, key1):
    """state[0] += scatter * N(0, 1)."""
    buffer = np.empty(4 * lanes, F)
    for i in range(d):
        for group in range(0, lanes, WIDTH):
            if i % 4 == 0:
                start_block(buffer, group, lanes, first, i // 4, key0, key1)
            add_scaled(state, i * lanes + group, scatter, buffer, (i % 4) * lanes + group)


@njit(nogil=True, cache=True)
def run(
    first, count, lanes, steps, records, constants, table, initial, start, scatter, noise, law, repeat, limit,
    curvature, matrix, turn, targets, batch, mode, key, levels, losses, snapshots, since, passage, stop,
):  # fmt: skip
    """Simulate trajectories first .. first + count - 1: their losses and coordinates at the recorded steps, and when they diverged.

    Returns False if ``stop`` was set meanwhile: then the results are not complete.
    """
    d = start.shape[0]
    stride = since.shape[0]
    tracked = levels.shape[0] > 0
    state = np.empty(STATES * d * lanes, F)
    magnitudes = state.view(BITS)
    work = np.empty(WORK_ROWS * (d + 3) * lanes, F)
    gradient = np.empty(GRADIENT_ROWS * (d + 3) * lanes, F)
    point = np.empty(POINT_ROWS * d * lanes, F)
    draws = np.zeros((PER_BLOCK + 1) * lanes, F)
    bound = np.empty(lanes, BITS)
    now = np.empty(lanes, np.float64)
    goal = np.empty(lanes, np.float64)
    level = np.empty(lanes, np.int64)
    key0, key1 = key[0], key[1]
    for begin in range(0, count, lanes):
        trajectory = first + begin
        for i in range(d):
            for lane in range(lanes):
                state[i * lanes + lane] = start[i]
        if scatter > F(0.0):
            scatter_start(state, scatter, lanes, d, trajectory, key0, key1)
        for s in range(1, STATES):
            for k in range(s * d * lanes, (s + 1) * d * lanes):
                state[k] = initial[s - 1]
        for lane in range(lanes):
            bound[lane] = limit
            level[lane] = 0
            goal[lane] = levels[0] if tracked else -np.inf
        r, place, block = 0, PER_BLOCK, 0
        for step in range(steps + 1):
            recorded = r < records.shape[0] and records[r] == step
            if recorded or tracked:
                loss_of(state, work, curvature, turn, targets, now, lanes, d)
                if recorded:
                    for lane in range(lanes):
                        losses[r * stride + begin + lane] = now[lane]
                    if snapshots.shape[0] > 0:
                        for i in range(d):
                            for lane in range(lanes):
                                snapshots[(r * d + i) * stride + begin + lane] = state[i * lanes + lane]
                    r += 1
                if tracked:
                    some = False
                    for group in range(0, lanes, WIDTH):
                        some |= some_reached(now, goal, group)
                    if some:
                        mark_reached(now, goal, level, levels, passage, begin, step, lanes)
            if step == steps:
                break
            if stop[0] != 0:
                return False
            # --- unpack ---
            # --- gradient ---
            over = nothing_over(bound)
            source = 0
            for i in range(d):
                if noise > F(0.0):
                    if repeat == 1:
                        if place == PER_BLOCK:
                            for group in range(0, lanes, WIDTH):
                                draw_block(draws, group, lanes, trajectory, block, law, key0, key1)
                            place = 0
                            block += 1
                        source = place * lanes
                        place += 1
                    else:  # the mean of several draws, in the last row
                        source = PER_BLOCK * lanes
                        for group in range(0, lanes, WIDTH):
                            scale_row(draws, source + group, F(0.0))
                        for _ in range(repeat):
                            if place == PER_BLOCK:
                                for group in range(0, lanes, WIDTH):
                                    draw_block(draws, group, lanes, trajectory, block, law, key0, key1)
                                place = 0
                                block += 1
                            for group in range(0, lanes, WIDTH):
                                add_scaled(draws, source + group, F(1.0) / F(repeat), draws, place * lanes + group)
                            place += 1
                # --- advance ---
            if some_over(over):
                mark_diverged(magnitudes, bound, since, begin, step + 1, lanes, d)
    return True
