"""Gradients of any objective of its coordinates: ``gradient_at`` is generated."""

# ruff: noqa: F821
from numba import njit

from optlab.codegen.lanes import traced


# --- template ---
@traced
def put_gradient(gradient, point, group, lanes):
    for i, part in enumerate(gradient_at(point, group, lanes)):
        store(gradient, i * lanes + group, spread(part, load(point, group, WIDTH)))


@njit
def gradient_of(point, gradient, work, curvature, matrix, turn, batch, first, step, lanes, d, key0, key1):
    for group in range(0, lanes, WIDTH):
        put_gradient(gradient, point, group, lanes)
