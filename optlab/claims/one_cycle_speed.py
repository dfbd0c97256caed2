"""Claim 16: with 1-cycle one epoch does what took ten."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run
from optlab.experiments.questions.onecycle import EXPERIMENT, OnecycleSpec

SIZES = {"quick": 5, "full": 24}  #: fresh seeds
SEARCHES = {"quick": 1, "full": 3}  #: seeds of the search
RIVALS = ("cosine", "step", "constant")
TIMES = 10.0  #: as many epochs
CONFIDENCE = 0.99


def asked_of(setting: Setting) -> OnecycleSpec:
    """The experiment as both claims about schedules ask it, so that they share its cells."""
    return EXPERIMENT.read(
        seed=setting.seed, seeds=setting.pick(SIZES), searches=setting.pick(SEARCHES), rivals=list(RIVALS), confidence=CONFIDENCE
    )


def measure(setting: Setting, run: Run) -> Findings:
    """The 1-cycle experiment: how many times as many epochs each schedule needs for the same accuracy."""
    return judged(EXPERIMENT.measure(asked_of(setting), run))


def judged(result: xr.Dataset) -> Findings:
    """The numbers of a result of the experiment."""
    numbers = {
        rival: Measured(*(float(result[name].sel(schedule=rival)) for name in ("ratio", "ratio_low", "ratio_high"))) for rival in RIVALS
    }
    names: Any = ("accuracy_mean", "accuracy_low", "accuracy_high", "one_cycle_mean", "one_cycle_low", "one_cycle_high")
    data = result[list(names)].assign_attrs({"epochs": result.attrs["epochs"]})
    n = int(result.attrs["epochs"])
    remark = f"1-cycle has {100 * float(result.one_cycle_mean):.1f} % right after {n} epochs; "
    longest = result.isel(multiple=-1)
    remark += ", ".join(f"{rival} {100 * float(longest.accuracy_mean.sel(schedule=rival)):.1f} %" for rival in RIVALS)
    return Findings(numbers, data, (f"{remark} after {n * int(longest.multiple)}.",))


CLAIM = Claim(
    number=16,
    name="one_cycle_speed",
    statement="The 1-cycle policy trains in one epoch what took ten before (super-convergence).",
    test="ResNet-8 with 8, 16 and 32 channels on 320 textures of 16 x 16 pixels, momentum, batches of 16. 1-cycle for n = 4 epochs; "
    "cosine, steps and a constant rate for n, 2n, 5n and 10n; each at the best of three peaks at every length, measured on fresh seeds. "
    f"How many times n each needs for 1-cycle's accuracy: the claim says at least {TIMES:g}. Student's {CONFIDENCE:.0%} intervals of the "
    "difference, paired by seed, all lengths together; linear in the logarithm of the length between them.",
    parts=tuple(Part(rival, "epochs to 1-cycle's accuracy over 1-cycle's", (TIMES, np.inf), f"against {rival}") for rival in RIVALS),
    measure=measure,
    sizes=SIZES,
    networks=2.5,
    reference="Smith & Topin, Super-convergence: very fast training of neural networks using large learning rates, arXiv:1708.07120, 2018",
)
