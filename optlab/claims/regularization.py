"""Claim 18: batch normalization regularizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from optlab.claims.intervals import mean_of
from optlab.claims.norm_runs import NAMED, last, runs, seeds_of
from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run

SIZES = {"least": 2, "quick": 10, "full": 40}
NORMS = ("none", "batch", "layer")
TRAINING, LEVEL, RATE = 1000, 0.3, 0.1
LEAST = 0.05  #: of a loss: less than this is no regularization to speak of
OPTIONS: dict[str, Any] = {"training": TRAINING, "test": 1000, "records": 16}
SMALL, WHOLE = {"batch": 32, "steps": 480}, {"batch": TRAINING, "steps": 360}  #: with noise of the batch, and without any


def measure(setting: Setting, run: Run) -> Findings:
    """Test losses at equal training loss and after equal steps, in batches and in full batches."""
    seeds = seeds_of(setting, setting.pick(SIZES))
    small = runs(run, NORMS, seeds, RATE, **OPTIONS, **SMALL)
    whole = runs(run, NORMS[:2], seeds, RATE, **OPTIONS, **WHOLE)
    at, at_whole = ({norm: np.array([at_level(one) for one in found[norm]]) for norm in found} for found in (small, whole))
    gaps = {norm: last(small[norm], "test_loss") - last(small[norm], "training_loss") for norm in NORMS}
    gain, gain_whole = at["none"] - at["batch"], at_whole["none"] - at_whole["batch"]
    numbers = {
        "loss": mean_of(gain), "steps": mean_of(gaps["none"] - gaps["batch"]), "layer": mean_of(at["layer"] - at["batch"]),
        "whole": mean_of(gain_whole), "noise": mean_of(gain - gain_whole),
    }  # fmt: skip
    right = mean_of(100 * (last(small["batch"], "test_accuracy") - last(small["none"], "test_accuracy")))
    return Findings(numbers, curves(small, whole), remarks(at, at_whole, right))


def at_level(one: xr.Dataset) -> float:
    """The test loss where the training loss first falls to ``LEVEL``, between looks in the logarithm of the training loss; nan: never."""
    losses, tests = one.training_loss.values, one.test_loss.values
    below = np.flatnonzero(losses <= LEVEL)
    if not len(below) or below[0] == 0:
        return float("nan")
    k = int(below[0])
    a, b = np.log(losses[k - 1 : k + 1])
    share = float((a - np.log(LEVEL)) / (a - b))
    return float(tests[k - 1] + share * (tests[k] - tests[k - 1]))


def remarks(at: dict[str, np.ndarray], at_whole: dict[str, np.ndarray], right: Measured) -> tuple[str, ...]:
    """The levels behind the differences, and what becomes of the accuracy."""
    levels = ", ".join(f"{norm} {values.mean():.2f}" for norm, values in at.items())
    plain = ", ".join(f"{norm} {values.mean():.2f}" for norm, values in at_whole.items())
    return (
        f"Test loss when the training loss falls to {LEVEL:g}: in batches of {SMALL['batch']} {levels}; in full batches {plain}.",
        f"Test images right after {SMALL['steps']} steps, with batch normalization less without: {right.value:.1f} points "
        f"[{right.low:.1f}, {right.high:.1f}].",
    )


def curves(small: dict[str, list[xr.Dataset]], whole: dict[str, list[xr.Dataset]]) -> xr.Dataset:
    """Mean training and test loss along training, in single precision to keep the file small."""
    places = [("small", norm, found) for norm, found in small.items()] + [("whole", norm, found) for norm, found in whole.items()]
    values = {
        name: np.array([np.mean([one[name].values for one in found], 0) for *_, found in places], np.float32)
        for name in ("training_loss", "test_loss")
    }
    about = {"training_loss": "mean loss of the training images", "test_loss": "mean loss of the test images"}
    return xr.Dataset(
        {
            name: (("curve", "look"), value, {"long_name": about[name] + ", evaluation mode, mean over seeds"})
            for name, value in values.items()
        },
        {"curve": [f"{kind} {norm}" for kind, norm, _ in places]},
        {"level": LEVEL},
    )


CLAIM = Claim(
    number=18,
    name="regularization",
    statement="Batch normalization regularizes.",
    test=f"For {NAMED}, {TRAINING} to train on, SGD at {RATE:g} in batches of {SMALL['batch']}: the test loss without batch normalization "
    f"less that with it when the training loss (both in evaluation mode) has fallen to {LEVEL:g}; the gap between test and training loss "
    "after equal steps; the same against layer normalization, which has no noise of the batch. As a control full batches, in which the "
    "statistics are those of the whole training set: what batch normalization gains in batches beyond what it gains there is due to "
    "the noise of the batch's statistics. Differences are paired by seed; to "
    f"regularize means at least {LEAST:g}.",
    parts=(
        Part("loss", "test loss without less that with it, at equal training loss", (LEAST, np.inf), "batches of 32, equal training loss"),
        Part("steps", "test less training loss: without less with it", (LEAST, np.inf), "batches of 32, equal steps"),
        Part("layer", "test loss with layer normalization less that with batch normalization", (LEAST, np.inf),
             "batches of 32, against layer normalization, equal training loss"),
        Part("noise", "gain in batches of 32 less that in full batches", (LEAST, np.inf), "noise of the batch's statistics"),
        Part("whole", "test loss without less that with it, at equal training loss", (LEAST, np.inf),
             "full batches, no noise of statistics, equal training loss"),
    ),
    measure=measure,
    sizes=SIZES,
    networks=1.5,
    reference="Ioffe & Szegedy, ICML 2015, 3.4; Luo, Wang, Shao & Peng, Towards understanding regularization in batch normalization, "
    "ICLR 2019",
)  # fmt: skip
