"""The loss of a classifier, and its gradient by the logits; a thread to an image."""

# ruff: noqa: F821
import numpy as np
from numba import cuda

from optlab.codegen.cuda import kernel, traced


# --- template ---
@traced
def logit(result, slopes, image, k):
    return load(result, image * K + k, 1) + load(slopes, K + k, 1)


@traced
def with_term(total, z, peak):
    return total + term(z, peak)


@traced
def loss_of(total, peak, target):
    return wide(loss(total, peak, target))


@traced
def gradient_of(z, peak, total, weight, hit):
    return (slope_of(z, peak, total) + select(hit, F(TARGET_SLOPE), z * F(0.0))) * weight


@kernel
def objective(result, slopes, labels, weight, gradient, losses, hits, images):
    """Each image's loss, whether the largest logit is the label's, and ``weight`` times the gradient by the logits."""
    image = cuda.grid(1)
    if image < images:
        label = labels[image]
        peak, best = logit(result, slopes, image, 0), 0
        for k in range(1, K):
            z = logit(result, slopes, image, k)
            if z > peak or z != z:
                peak, best = z, k
        total = F(0.0)
        for k in range(K):
            total = with_term(total, logit(result, slopes, image, k), peak)
        losses[image] = loss_of(total, peak, logit(result, slopes, image, label))
        hits[image] = 1 if best == label else 0
        for k in range(K):
            gradient[image * K + k] = gradient_of(logit(result, slopes, image, k), peak, total, weight, k == label)
