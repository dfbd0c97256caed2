"""What the claims on normalizations share: the network, the runs of every norm with the same seeds, and differences paired by seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from optlab.claims.record import Setting
from optlab.experiments.experiment import Run
from optlab.experiments.norm_training import cell

NETWORK = "mlp(hidden=[32, 32, 32])"
NAMED = "a perceptron with three hidden layers of 32 units on synthetic textures of 8 x 8 pixels in ten classes"


def seeds_of(setting: Setting, count: int) -> list[int]:
    """The seeds of the runs; each is that of the images, of the weights and of the order, so that runs are independent."""
    return [1000 * setting.seed + k for k in range(count)]


def runs(run: Run, norms: tuple[str, ...], seeds: list[int], alpha: float, **options: Any) -> dict[str, list[xr.Dataset]]:
    """A run of every norm and seed."""
    found = iter(run([cell(NETWORK, norm, alpha, seed=seed, **options) for norm in norms for seed in seeds]))
    return {norm: [next(found) for _ in seeds] for norm in norms}


def last(results: list[xr.Dataset], name: str) -> np.ndarray:
    """The last number of each run. Where a loss is not a number, an accuracy is that of naming one class always."""
    return np.array([float(result[name].values.ravel()[-1]) for result in results])
