"""The loss of a regression, summed over its outputs, and its gradient by them; a thread to a row."""

# ruff: noqa: F821
from numba import cuda

from optlab.codegen.cuda import kernel, traced


# --- template ---
@traced
def output_loss(result, slopes, labels, at, k, total):
    return total + wide(loss(load(result, at, 1) + load(slopes, K + k, 1), load(labels, at, 1)))


@traced
def output_slope(result, slopes, labels, at, k, weight):
    return slope_of(load(result, at, 1) + load(slopes, K + k, 1), load(labels, at, 1)) * weight


@kernel
def objective(result, slopes, labels, weight, gradient, losses, hits, images):
    """Each row's loss and ``weight`` times its gradient; ``hits`` stays zero."""
    image = cuda.grid(1)
    if image < images:
        total = 0.0
        for k in range(K):
            at = image * K + k
            total = output_loss(result, slopes, labels, at, k, total)
            gradient[at] = output_slope(result, slopes, labels, at, k, weight)
        losses[image] = total
        hits[image] = 0
