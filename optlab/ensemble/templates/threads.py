"""The loop over steps of one trajectory, which is one thread's; pasted behind the functions it calls.

What a thread holds stands in its registers: ``lanes`` is 1 and the arrays are its own. What is too large for that stands side by
side with the other threads', ``lanes`` apart, in ``space``. The marked lines are generated.
"""

# ruff: noqa: F821
import numba
import numpy as np

from optlab.codegen.cuda import kernel, njit, traced


# --- template ---
@traced
def stream_of(trajectory, key0, key1):
    """What the first rounds of the noise stream make of the trajectory: it serves all its blocks."""
    return prepared(count_up(trajectory, WIDTH), NOISE, key0, key1)


@traced
def no_values(start):
    return tuple(zeros(start, WIDTH, F) for _ in range(PER_BLOCK))


@traced
def values_of(stream, block, law, key0, key1):
    """The values of one block of the noise stream."""
    return tuple(block_values(finished(stream[0], stream[1], block & 0xFFFFFFFF, block >> 32, key0, key1), law))


def pick(values, place):
    """The value at this place, without an array: registers cannot be indexed."""
    out = values[-1]
    for k in range(len(values) - 2, -1, -1):
        out = select(place == k, values[k], out)
    return out


@traced
def take_value(draws, values, place):
    store(draws, 0, pick(values, place))


@traced
def add_value(draws, values, place, repeat):
    """Add one of ``repeat`` values, of which the mean is wanted."""
    store(draws, 0, fma(F(1.0) / to_float(repeat, F), pick(values, place), load(draws, 0, WIDTH)))


@traced
def mean_row(target, at, batch):
    store(target, at, load(target, at, WIDTH) * (F(1.0) / to_float(batch, F)))


@kernel
def run(
    first, count, stride, lanes, steps, records, constants, table, initial, start, noise, law, repeat, limit,
    curvature, matrix, turn, targets, batch, mode, key0, key1, levels,
    scattered, space, order, losses, snapshots, since, passage,
):  # fmt: skip
    """Simulate trajectory ``first + lane``, lane < count: its loss and coordinates at the recorded steps, and when it diverged."""
    lane = cuda.grid(1)
    if lane >= count:
        return
    trajectory = first + lane
    "mark: arrays"
    draws = cuda.local.array(1, REAL)
    bound = cuda.local.array(1, WORD)
    now = cuda.local.array(1, numba.float64)
    goal = cuda.local.array(1, numba.float64)
    for i in range(d):
        if scattered.shape[0] > 1:
            copy(state, i * lanes, scattered, i * stride + lane)
        else:
            copy(state, i * lanes, start, i)
        for s in range(1, STATES):
            copy(state, (s * d + i) * lanes, initial, s - 1)
    begin_group(bound, goal, 0, limit, levels[0])
    since[lane] = -1
    for k in range(levels.shape[0] - 1):
        passage[k * stride + lane] = -1
    fill(draws, 0, F(0.0))
    stream = stream_of(trajectory, key0, key1)
    values = no_values(start)
    r = 0
    place = PER_BLOCK
    block = 0
    for step in range(steps + 1):
        recorded = records[r] == step
        if recorded or levels.shape[0] > 1:
            "mark: losses"
            if some_reached(now, goal, 0):
                for k in range(levels.shape[0] - 1):
                    note_reached(now, goal, passage, k * stride + lane, 0, levels[k], levels[k + 1], step)
            if recorded:
                copy(losses, r * stride + lane, now, 0)
                if snapshots.shape[0] > 1:
                    for i in range(d):
                        copy(snapshots, (r * d + i) * stride + lane, state, i * lanes)
                r += 1
        if step == steps:
            break
        "mark: unpack"
        "mark: gradient"
        over = nothing_over(bound)
        "mark: coordinates"
        if some_over(over):
            for i in range(d):
                note_diverged(state, bound, since, i * lanes, 0, lane, step + 1)
            look_away(bound, since, 0, lane)
