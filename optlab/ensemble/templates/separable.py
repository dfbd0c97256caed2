"""Losses of ``f = sum_i phi(theta_i; lam_i)``; the gradient of a coordinate is taken where it is used."""

# ruff: noqa: F821
from numba import njit

from optlab.codegen.lanes import traced


# --- template ---
@traced
def no_loss(now):
    return zeros(now, WIDTH, np.float64)


@traced
def add_loss(total, values, at, lam):
    return total + widen(piece_loss(load(values, at, WIDTH), lam))


@traced
def put(now, group, value):
    store(now, group, value)


@njit
def loss_of(state, work, curvature, turn, targets, now, lanes, d):
    for group in range(0, lanes, WIDTH):
        total = no_loss(now)
        for i in range(d):
            total = add_loss(total, state, i * lanes + group, curvature[i])
        put(now, group, total)
