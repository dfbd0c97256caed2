"""Losses and gradients of ``f = sum_i phi((Q theta)_i; lam_i)``; the matrix is Q, or empty where Q is the identity."""

# ruff: noqa: F821
import numpy as np
from numba import njit


# --- template ---
@njit
def project(row, weights, theta):
    """row[lane] = weights . theta[:, lane]."""
    row[:] = F(0.0)
    for j in range(theta.shape[0]):
        weight = weights[j]
        for lane in range(LANES):
            row[lane] += weight * theta[j, lane]


@njit
def loss_block(theta, losses, row, curvature, matrix, targets):
    losses[:] = 0.0
    for i in range(theta.shape[0]):
        lam = curvature[i]
        if matrix.shape[0] == 0:
            for lane in range(LANES):
                losses[lane] += piece_loss(theta[i, lane], lam)
        else:
            project(row, matrix[i], theta)
            for lane in range(LANES):
                losses[lane] += piece_loss(row[lane], lam)


@njit
def gradient_block(point, gradient, row, curvature, matrix, targets, order, batch, mode, first, step, key0, key1):
    d = point.shape[0]
    if matrix.shape[0] == 0:
        for i in range(d):
            lam = curvature[i]
            for lane in range(LANES):
                gradient[i, lane] = piece_gradient(point[i, lane], lam)
        return
    gradient[:, :] = F(0.0)
    for i in range(d):
        lam = curvature[i]
        project(row, matrix[i], point)
        for lane in range(LANES):
            row[lane] = piece_gradient(row[lane], lam)
        for j in range(d):
            weight = matrix[i, j]
            for lane in range(LANES):
                gradient[j, lane] += weight * row[lane]
