"""Claim 1: the mini-batch gradient is unbiased."""

from __future__ import annotations

import numpy as np
import xarray as xr

from optlab.claims.intervals import normal_half_width
from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.claims.tables import FEATURES, ROWS, SAMPLINGS, START, drawn_table, row_gradients, single_steps
from optlab.experiments.experiment import Run

BATCHES = (1, 16, 64)
SIZES = {"quick": 1_000_000, "full": 10_000_000}
TOLERANCE = 0.01  #: of one mini-batch gradient's standard deviation, each coordinate's


def measure(setting: Setting, run: Run) -> Findings:
    """One step of SGD with learning rate 1 moves by minus the gradient: its mean over runs is looked at."""
    features, targets = drawn_table(setting.seed)
    full, runs = row_gradients(features, targets).mean(0), setting.pick(SIZES)
    found = single_steps(run, BATCHES, runs, setting.seed)
    moved = np.array([np.array(START) - one.theta_mean.values[-1] for one in found])  # the mean mini-batch gradient
    deviation = np.sqrt([one.theta_variance.values[-1] for one in found])
    bias = ((moved - full) / deviation).reshape(len(SAMPLINGS), len(BATCHES), FEATURES)
    half = normal_half_width(len(BATCHES) * FEATURES) / np.sqrt(runs)
    numbers = {kind: Measured.around(float(bias[k].flat[np.abs(bias[k]).argmax()]), half) for k, kind in enumerate(SAMPLINGS)}
    numbers["epoch"] = epoch_bias(row_gradients(features, targets), BATCHES[-1], setting.seed)
    data = xr.Dataset(
        {"bias": (("sampling", "batch", "coordinate"), bias, {"long_name": "bias over the deviation of one mini-batch gradient"}),
         "half_width": ((), half, {"long_name": "of the interval of each"})},
        {"sampling": list(SAMPLINGS), "batch": list(BATCHES), "coordinate": np.arange(FEATURES)},
    )  # fmt: skip
    return Findings(numbers, data, (f"{runs:,} mini-batches of each kind, {ROWS} rows.",))


def epoch_bias(gradients: np.ndarray, batch: int, seed: int, epochs: int = 2000) -> Measured:
    """Root-mean-square of E[g | the epoch so far] - grad before the last batch of a shuffled epoch, over that batch's deviation.

    What is left is then known, so the expectation is the mean over the rows that are left; with its interval over epochs.
    """
    generator, full = np.random.default_rng(seed), gradients.mean(0)
    left = np.array([gradients[generator.permutation(len(gradients))[-batch:]].mean(0) - full for _ in range(epochs)])
    square = (left**2).sum(1) / (left**2).sum(1).mean()
    given = np.sqrt((left**2).sum(1).mean() / ((gradients - full) ** 2).sum(1).mean() * batch * (ROWS - 1) / (ROWS - batch))
    return Measured.around(float(given), float(normal_half_width() * square.std(ddof=1) / np.sqrt(epochs) * given / 2))


CLAIM = Claim(
    number=1,
    name="unbiased",
    statement="The mini-batch gradient is an unbiased estimate of the gradient: E[g] = ∇f.",
    test=f"Least squares on {ROWS} rows, {FEATURES} coordinates, batches of {', '.join(map(str, BATCHES))}. The mean of the mini-batch "
    "gradient less the gradient, over the deviation of one mini-batch gradient; the largest over batches and coordinates, with an interval "
    f"that holds for all of them at once. Unbiased: within ±{TOLERANCE}.",
    parts=(
        Part("replacement", "largest bias, in deviations", (-TOLERANCE, TOLERANCE), "rows drawn with replacement"),
        Part("subset", "largest bias, in deviations", (-TOLERANCE, TOLERANCE), "a fresh subset at each step"),
        Part("epoch", "bias of the last batch of a shuffled epoch, given the epoch so far, in deviations", (-TOLERANCE, TOLERANCE),
             "shuffled epochs, given what came before"),
    ),
    measure=measure,
    sizes=SIZES,
    reference="Robbins & Monro, A stochastic approximation method, 1951",
)  # fmt: skip
