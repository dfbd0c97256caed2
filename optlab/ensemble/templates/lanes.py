"""The loop over steps for trajectories that advance side by side, one to a lane; pasted behind the functions it calls.

Arrays are flat: coordinate i of lane l stands at ``i * lanes + l``, state s another ``s * d * lanes`` on. The marked lines
are generated: what is unpacked per step, the losses, the noise, the gradient and the update.
"""

# ruff: noqa: F821
import numpy as np
from numba import njit

from optlab.codegen.tracing import traced


# --- template ---
@traced
def prepare_words(ready, group, lanes, first, key0, key1):
    """What the first rounds of the noise stream make of the trajectories: it serves all their blocks."""
    for row, value in enumerate(prepared(count_up(first + group, WIDTH), NOISE, key0, key1)):
        store(ready, row * lanes + group, value)


@traced
def word_block(ready, group, lanes, block, key0, key1):
    """The four words of one block of the noise stream, behind what was prepared."""
    p0, p1 = load(ready, group, PAIR), load(ready, lanes + group, PAIR)
    for row, word in enumerate(finished(p0, p1, block & 0xFFFFFFFF, block >> 32, key0, key1)):
        store(ready, (2 + row) * lanes + group, word)


@traced
def radius_block(draws, ready, group, lanes):
    """Box & Muller's radii, from the first and the third word."""
    for row in (0, 2):
        store(draws, row * lanes + group, radius(load(ready, (2 + row) * lanes + group, WIDE), F))


@traced
def circle_block(draws, ready, group, lanes):
    """The radii times cosine and sine of an angle, from the second and the fourth word."""
    for row in (0, 2):
        cosine, sine = direction(load(ready, (3 + row) * lanes + group, WIDE), F)
        size = load(draws, row * lanes + group, WIDE)
        store(draws, row * lanes + group, size * cosine)
        store(draws, (row + 1) * lanes + group, size * sine)


@traced
def value_block(draws, ready, group, lanes, law):
    """The values of a block under another law; they become consecutive rows of ``draws``."""
    words = tuple(load(ready, (2 + row) * lanes + group, WIDTH) for row in range(4))
    for place, value in enumerate(block_values(words, law)):
        store(draws, place * lanes + group, value)


@njit(nogil=True, cache=True)
def run(
    first, count, stride, lanes, steps, records, constants, table, initial, start, noise, law, repeat, limit,
    curvature, matrix, turn, targets, batch, mode, key0, key1, levels,
    scattered, state, work, gradient, point, draws, ready, bound, now, goal, losses, snapshots, since, passage, stop,
):  # fmt: skip
    """Simulate trajectories first .. first + count - 1: their losses and coordinates at the recorded steps, and when they diverged.

    Returns False if ``stop`` was set meanwhile: then the results are not complete.
    """
    d = start.shape[0]
    for begin in range(0, count, lanes):
        trajectory = first + begin
        for group in range(0, lanes, WIDTH):
            for i in range(d):
                if scattered.shape[0] > 0:
                    copy(state, i * lanes + group, scattered, i * stride + begin + group)
                else:
                    fill(state, i * lanes + group, start[i])
                for s in range(1, STATES):
                    fill(state, (s * d + i) * lanes + group, initial[s - 1])
            begin_group(bound, goal, group, limit, levels[0])
            prepare_words(ready, group, lanes, trajectory, key0, key1)
        r = 0
        place = PER_BLOCK
        block = 0
        for step in range(steps + 1):
            recorded = records[r] == step
            if recorded or levels.shape[0] > 1:
                "mark: losses"
                some = False
                for group in range(0, lanes, WIDTH):
                    some |= some_reached(now, goal, group)
                    if recorded:
                        copy(losses, r * stride + begin + group, now, group)
                        if snapshots.shape[0] > 0:
                            for i in range(d):
                                copy(snapshots, (r * d + i) * stride + begin + group, state, i * lanes + group)
                if some:
                    for k in range(levels.shape[0] - 1):
                        for group in range(0, lanes, WIDTH):
                            note_reached(now, goal, passage, k * stride + begin + group, group, levels[k], levels[k + 1], step)
                if recorded:
                    r += 1
            if step == steps:
                break
            if stop[0] != 0:
                return False
            "mark: unpack"
            "mark: gradient"
            over = nothing_over(bound)
            source = 0
            for i in range(d):
                "mark: draw"
                "mark: advance"
            if some_over(over):
                for i in range(d):
                    for group in range(0, lanes, WIDTH):
                        note_diverged(state, bound, since, i * lanes + group, group, begin + group, step + 1)
                for group in range(0, lanes, WIDTH):
                    look_away(bound, since, group, begin + group)
    return True
