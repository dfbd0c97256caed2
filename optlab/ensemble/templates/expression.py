"""Losses and gradients of any objective of its coordinates: ``objective_lane`` and ``gradient_lane`` are generated."""

# ruff: noqa: F821
import numpy as np
from numba import njit


# --- template ---
@njit
def make_order(n, mode):
    return np.empty((0, 0), np.int32)


@njit
def reset_order(order):
    pass


@njit
def loss_block(theta, losses, row, curvature, matrix, targets):
    for lane in range(LANES):
        losses[lane] = objective_lane(theta, lane)


@njit
def gradient_block(point, gradient, row, curvature, matrix, targets, order, batch, mode, first, step, key0, key1):
    for lane in range(LANES):
        gradient_lane(point, gradient, lane)
