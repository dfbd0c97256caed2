"""The least-squares table that claims about mini-batches are tested on: rows drawn once, from the counter-based stream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from optlab import problems, rules
from optlab.ensemble.bind import philox_normals
from optlab.ensemble.purposes import Purpose
from optlab.experiments.experiment import Run
from optlab.experiments.sweep import simulation_cell

ROWS, FEATURES = 256, 4
SAMPLINGS = ("replacement", "subset")
START = (1.0, -1.0, 0.5, 0.0)  #: where the gradient is looked at: away from the optimum


def drawn_table(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (256, 4), standard normal, and targets: a linear function and noise of deviation 1/2."""
    numbers = philox_normals(ROWS, FEATURES + 1, seed, Purpose.DATA)
    features, noise = numbers[:, :FEATURES], numbers[:, FEATURES]
    return np.ascontiguousarray(features), features @ np.array([2.0, 1.0, -1.0, 0.5]) + noise / 2


def row_gradients(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The gradient of half the squared error of each row at :data:`START`, (rows, features)."""
    return features * (features @ np.array(START) - targets)[:, None]


def single_steps(run: Run, batches: Sequence[int], runs: int, seed: int) -> list[xr.Dataset]:
    """One step of SGD from :data:`START` with learning rate 1, by sampling and batch: it moves by minus the mini-batch gradient."""
    features, targets = drawn_table(seed)
    cells = []
    for sampling in SAMPLINGS:
        problem = problems.least_squares(features, targets, sampling=sampling, theta0=list(START))
        for batch in batches:
            cells.append(
                simulation_cell(
                    f"one step: {sampling}, batch {batch}", rules.get("sgd"), problem, schedule=1.0, steps=1, record=[1],
                    trajectories=runs, batch=batch, rng=seed,
                )
            )  # fmt: skip
    return run(cells)
