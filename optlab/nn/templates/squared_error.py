"""The loss of a regression, summed over its outputs, and its gradient by them."""

# ruff: noqa: F821
from numba import njit


# --- template ---
@njit(nogil=True, cache=True)
def objective(first, last, result, slopes, labels, weight, gradient, totals, losses, hits):
    """Rows first .. last - 1: the loss and ``weight`` times its gradient; ``hits`` stays zero."""
    for image in range(first, last):
        losses[image] = 0.0
        hits[image] = 0
        for k in range(K):
            output, target = float(result[image * KP + k]) + float(slopes[KP + k]), float(labels[image * K + k])
            losses[image] += loss(output, target)
            gradient[image * KP + k] = weight * slope_of(output, target)
            totals[image * KP + k] = float(gradient[image * KP + k])
        for k in range(K, KP):
            gradient[image * KP + k] = 0
