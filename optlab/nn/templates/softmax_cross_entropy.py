"""The loss of a classifier, and its gradient by the logits."""

# ruff: noqa: F821
from numba import njit


# --- template ---
@njit(nogil=True, cache=True)
def objective(first, last, result, slopes, labels, weight, gradient, totals, losses, hits):
    """Images first .. last - 1: the loss, whether the largest logit is the label's, and ``weight`` times the gradient by the logits."""
    for image in range(first, last):
        start, label, peak, best = image * KP, labels[image], -np.inf, 0
        for k in range(K):
            logit = float(result[start + k]) + float(slopes[KP + k])
            if logit > peak or logit != logit:
                peak, best = logit, k
        total = 0.0
        for k in range(K):
            total += term(float(result[start + k]) + float(slopes[KP + k]), peak)
        losses[image] = loss(total, peak, float(result[start + label]) + float(slopes[KP + label]))
        hits[image] = best == label
        for k in range(K):
            slope = slope_of(float(result[start + k]) + float(slopes[KP + k]), peak, total) + (TARGET_SLOPE if k == label else 0.0)
            gradient[image * KP + k] = weight * slope
            totals[image * KP + k] = float(gradient[image * KP + k])
        for k in range(K, KP):
            gradient[image * KP + k] = 0
