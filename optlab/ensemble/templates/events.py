"""Noting when a run diverges or first reaches a level."""

# ruff: noqa: F821
import numpy as np
from numba import njit

from optlab.codegen.lanes import traced


# --- template ---
@traced
def nothing_over(bound):
    return signed(load(bound, 0, WIDTH) & 0)


@traced
def some_over(over):
    return any_of(over < 0)


@njit
def mark_diverged(magnitudes, bound, since, begin, step, lanes, d):
    """Note the step of each run that has gone beyond its bound, and look at that run no more."""
    for lane in range(lanes):
        for i in range(d):
            if (magnitudes[i * lanes + lane] & NEVER) > bound[lane]:
                since[begin + lane] = step
                bound[lane] = NEVER
                break


@njit
def mark_reached(now, goal, level, levels, passage, begin, step, lanes):
    """Note the step of each run whose loss has come down to its next level, and aim at the one after."""
    for lane in range(lanes):
        while level[lane] < levels.shape[0] and now[lane] <= levels[level[lane]]:
            passage[level[lane], begin + lane] = step
            level[lane] += 1
        goal[lane] = levels[level[lane]] if level[lane] < levels.shape[0] else -np.inf
