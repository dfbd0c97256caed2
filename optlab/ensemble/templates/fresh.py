"""Mini-batch gradients over fresh samples, one block of random words each: ``sample_gradient_at`` is generated."""

# ruff: noqa: F821
from numba import njit

from optlab.codegen.lanes import traced


# --- template ---
@traced
def add_sample(gradient, point, group, lanes, first, sample, key0, key1):
    w0, _, w2, w3 = rounds(count_up(first + group, WIDTH), sample & 0xFFFFFFFF, sample >> 32, DATA, key0, key1)
    normal, _ = normal_pair(w2, w3, F)
    for i, part in enumerate(sample_gradient_at(point, group, lanes, fma(F(2.0), uniform(w0, F), F(-1.0)), normal)):
        at = i * lanes + group
        store(gradient, at, load(gradient, at, WIDTH) + part)


@njit
def gradient_of(point, gradient, work, curvature, matrix, turn, batch, first, step, lanes, d, key0, key1):
    for k in range(d * lanes):
        gradient[k] = F(0.0)
    for k in range(batch):
        for group in range(0, lanes, WIDTH):
            add_sample(gradient, point, group, lanes, first, step * batch + k, key0, key1)
    share = F(1.0) / F(batch)
    for k in range(0, d * lanes, WIDTH):
        scale_row(gradient, k, share)
