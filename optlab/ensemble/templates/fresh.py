"""Losses and mini-batch gradients over fresh samples: ``add_sample`` and ``objective_lane`` are generated."""

# ruff: noqa: F821
import numpy as np
from numba import njit


# --- template ---
@njit
def gradient_block(point, gradient, row, curvature, matrix, targets, order, batch, mode, first, step, key0, key1):
    gradient[:, :] = F(0.0)
    for k in range(batch):
        for lane in range(LANES):
            w0, _, w2, w3 = philox(uint32(first + lane), uint32(step), uint32(k), uint32(DATA), key0, key1)
            uniform = F(2.0) * ((F(w0) + HALF) * WORD) - F(1.0)
            normal, _ = normal_pair(w2, w3)
            add_sample(point, gradient, lane, uniform, normal)
    for i in range(gradient.shape[0]):
        for lane in range(LANES):
            gradient[i, lane] /= F(batch)
