"""The loss of problems whose objective is one expression of the coordinates: ``objective_lane`` is generated."""

# ruff: noqa: F821
import numpy as np
from numba import njit


# --- template ---
@njit
def loss_block(theta, losses, row, curvature, matrix, targets):
    for lane in range(LANES):
        losses[lane] = objective_lane(theta, lane)
