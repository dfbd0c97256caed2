"""Losses and gradients of any objective of its coordinates: ``objective_lane`` and ``gradient_lane`` are generated."""

# ruff: noqa: F821
import numpy as np
from numba import njit


# --- template ---
@njit
def gradient_block(point, gradient, row, curvature, matrix, targets, order, batch, mode, first, step, key0, key1):
    for lane in range(LANES):
        gradient_lane(point, gradient, lane)
