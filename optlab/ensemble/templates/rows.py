"""Losses and mini-batch gradients of ``f = mean_r l(x_r . theta, y_r)``; the matrix holds the rows."""

# ruff: noqa: F821
import numpy as np
from numba import njit

# --- template ---
FULL, REPLACEMENT, SUBSET, RESHUFFLE = 0, 1, 2, 3


@njit
def make_order(n, mode):
    return np.empty((LANES if mode >= SUBSET else 0, n), np.int32)


@njit
def reset_order(order):
    for lane in range(order.shape[0]):
        for k in range(order.shape[1]):
            order[lane, k] = k


@njit
def loss_block(theta, losses, row, curvature, matrix, targets):
    losses[:] = 0.0
    for r in range(matrix.shape[0]):
        row[:] = F(0.0)
        for j in range(theta.shape[0]):
            feature = matrix[r, j]
            for lane in range(LANES):
                row[lane] += feature * theta[j, lane]
        for lane in range(LANES):
            losses[lane] += piece_loss(row[lane], targets[r])
    for lane in range(LANES):
        losses[lane] /= matrix.shape[0]


@njit
def add_row(point, gradient, lane, weights, target):
    """Add the gradient of one row's loss to one lane."""
    z = F(0.0)
    for j in range(point.shape[0]):
        z += weights[j] * point[j, lane]
    slope = piece_gradient(z, target)
    for j in range(point.shape[0]):
        gradient[j, lane] += slope * weights[j]


@njit
def shuffle(order, lane, length, first, step, purpose, key0, key1):
    """Move a uniformly drawn subset of ``length`` rows, in random order, to the front (Fisher & Yates; Knuth's P)."""
    n = order.shape[1]
    for block in range((length + 3) // 4):
        words = philox(uint32(first + lane), uint32(step), uint32(block), uint32(purpose), key0, key1)
        for part in range(4):
            k = 4 * block + part
            if k < length:
                j = k + bounded(words[part], n - k)
                order[lane, k], order[lane, j] = order[lane, j], order[lane, k]


@njit
def gradient_block(point, gradient, row, curvature, matrix, targets, order, batch, mode, first, step, key0, key1):
    n, d = matrix.shape
    gradient[:, :] = F(0.0)
    size = batch
    if mode == FULL:
        size = n
        for lane in range(LANES):
            for r in range(n):
                add_row(point, gradient, lane, matrix[r], targets[r])
    elif mode == REPLACEMENT:
        for block in range((batch + 3) // 4):
            for lane in range(LANES):
                words = philox(uint32(first + lane), uint32(step), uint32(block), uint32(BATCH), key0, key1)
                for part in range(4):
                    if 4 * block + part < batch:
                        r = bounded(words[part], n)
                        add_row(point, gradient, lane, matrix[r], targets[r])
    else:
        begin = 0
        if mode == RESHUFFLE:
            place = step % ((n + batch - 1) // batch)
            begin = place * batch
            size = min(batch, n - begin)
        for lane in range(LANES):
            if mode == SUBSET:
                shuffle(order, lane, batch, first, step, BATCH, key0, key1)
            elif begin == 0:
                shuffle(order, lane, n, first, step, PERMUTATION, key0, key1)
            for k in range(begin, begin + size):
                r = order[lane, k]
                add_row(point, gradient, lane, matrix[r], targets[r])
    for i in range(d):
        for lane in range(LANES):
            gradient[i, lane] /= F(size)
