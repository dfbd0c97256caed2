"""The least-squares table that claims about mini-batches are tested on: rows drawn once, from the counter-based stream."""

from __future__ import annotations

import numpy as np

from optlab.ensemble.bind import philox_normals
from optlab.ensemble.purposes import Purpose

ROWS, FEATURES = 256, 4
START = (1.0, -1.0, 0.5, 0.0)  #: where the gradient is looked at: away from the optimum


def drawn_table(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (256, 4), standard normal, and targets: a linear function and noise of deviation 1/2."""
    numbers = philox_normals(ROWS, FEATURES + 1, seed, Purpose.DATA)
    features, noise = numbers[:, :FEATURES], numbers[:, FEATURES]
    return np.ascontiguousarray(features), features @ np.array([2.0, 1.0, -1.0, 0.5]) + noise / 2


def row_gradients(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The gradient of half the squared error of each row at :data:`START`, (rows, features)."""
    return features * (features @ np.array(START) - targets)[:, None]
