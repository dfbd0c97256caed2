"""What is measured while training: sums over an epoch, and the scale of the gradient's noise."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from optlab.training.learner import Learner, State

#: measured each epoch, in the order of the sums: loss, right, gradient norm, update-to-weight ratio
SUMS = ("loss", "correct", "gradient_norm", "update_ratio")

#: name -> (meaning, unit) of every variable of a result
MEANINGS = {
    "train_loss": ("mean loss over the steps of the epoch, in training mode, before each step", "1"),
    "train_accuracy": ("fraction right over the steps of the epoch, in training mode", "1"),
    "validation_loss": ("mean loss on the validation part after the epoch", "1"),
    "validation_accuracy": ("fraction right on the validation part after the epoch", "1"),
    "gradient_norm": ("mean over the steps of the Euclidean norm of the batch's gradient", "1"),
    "update_ratio": ("mean over the steps of |change of the parameters| / |parameters|", "1"),
    "gradient_trace": ("trace of the covariance of one sample's gradient, after the epoch, estimated without bias", "1"),
    "gradient_square": ("squared norm of the expected gradient, after the epoch, estimated without bias (it may come out negative)", "1"),
    "noise_scale": ("gradient-noise scale: gradient_trace / gradient_square; nan where the latter is not positive", "samples"),
    "learning_rate": ("learning rate of the last step of the epoch", "1"),
}


def norm(values: np.ndarray) -> float:
    """Euclidean norm, summed in float64 in a fixed order.

    >>> norm(np.array([3.0, 4.0], np.float32))
    5.0
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what has diverged has an infinite norm
        return float(np.sqrt(np.sum(np.square(values, dtype=np.float64))))


def noise_scale(learner: Learner, batches: Iterable[tuple[np.ndarray, np.ndarray]], state: State) -> tuple[float, float]:
    """tr C and |g|^2, whose ratio is the simple noise scale in samples: the batch size at which noise and signal are equal.

    From the gradients of K batches of B samples at one point: with s their sample variance (divisor K - 1, summed over coordinates) and m
    their mean, E s = tr C / B and E |m|^2 = |g|^2 + tr C / (K B), so B s and |m|^2 - s / K estimate them without bias (McCandlish, Kaplan,
    Amodei et al., An empirical model of large-batch training, arXiv:1812.06162, 2018, appendix A, for K parts). To average over epochs
    or seeds, average the two, not their ratio. nan with fewer than two batches.

    ``state`` is the learner's state; it is restored, so nothing changes.
    """
    mean, squares, count, size = np.zeros(learner.gradient.shape), 0.0, 0, 0
    for inputs, targets in batches:
        learner.step(inputs, targets, 0.0)
        gradient = learner.gradient.astype(np.float64)
        learner.restore(state)
        count, size = count + 1, len(targets)
        change = gradient - mean  # Welford's update
        mean += change / count
        squares += float(np.sum(change * (gradient - mean)))
    if count < 2:
        return float("nan"), float("nan")
    variance = squares / (count - 1)
    return size * variance, float(np.sum(mean * mean)) - variance / count
