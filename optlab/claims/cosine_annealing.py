"""Claim 14: cosine annealing ends better than a constant rate or steps, with the same budget."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from optlab import problems, rules
from optlab.claims.intervals import mean_of
from optlab.claims.one_cycle_speed import CONFIDENCE, SIZES, asked_of
from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.ensemble.budget import best_peak
from optlab.experiments.experiment import Run
from optlab.experiments.kinds import spec_head
from optlab.experiments.questions.onecycle import EXPERIMENT
from optlab.experiments.step_decay import STEP_DECAY
from optlab.experiments.sweep import Cell

BUDGETS = (100, 1000, 10_000)  #: steps on the quadratic
KAPPA, DIM, BATCH = 100.0, 10, 16
RIVALS = ("constant", "step")


def measure(setting: Setting, run: Run) -> Findings:
    """Exact best final losses of SGD on a quadratic; accuracies of the 1-cycle experiment, paired by seed."""
    excess = best_excess(run)
    result = EXPERIMENT.measure(asked_of(setting), run)
    numbers = on_quadratic(excess) | on_network(result)
    data = xr.Dataset(
        {"excess": excess, "accuracy": result.accuracy.sel(schedule=["cosine", *RIVALS]).isel(multiple=-1, drop=True)},
        {"schedule": ["cosine", *RIVALS]},
    )
    each = "; ".join(
        f"{n} epochs: " + ", ".join(f"{s} {100 * float(result.accuracy_mean.sel(schedule=s, multiple=m)):.1f}" for s in ("cosine", *RIVALS))
        for m in result.multiple.values for n in [int(m) * int(result.attrs["epochs"])]
    )  # fmt: skip
    return Findings(numbers, data, (f"Accuracy of the network in percent. {each}.",))


def best_excess(run: Run) -> xr.DataArray:
    """Exact expected final loss of SGD on the quadratic at the best peak of each schedule, by budget."""
    schedules = ["cosine", *RIVALS]
    found = run([peak_cell(schedule, steps) for schedule in schedules for steps in BUDGETS])
    rows = np.array([float(one.excess) for one in found]).reshape(len(schedules), len(BUDGETS))
    about = {"long_name": "exact expected final loss at the best peak"}
    return xr.DataArray(rows, {"schedule": schedules, "steps": list(BUDGETS)}, attrs=about)


def peak_cell(schedule: str, steps: int) -> Cell:
    """The cell of one schedule and budget."""
    options: dict[str, Any] = {"schedule": schedule, "steps": steps, "batch": BATCH, "condition_number": KAPPA, "dim": DIM}
    spec = spec_head("best_peak") | {"rule": "sgd", "rule_fingerprint": rules.get("sgd").fingerprint} | options
    return Cell(f"best peak of {schedule}, {steps:,} steps", spec, partial(excess_at_best, **options), single=True)


def excess_at_best(*, schedule: str, steps: int, batch: int, condition_number: float, dim: int) -> xr.Dataset:
    """The final loss of SGD on the quadratic at the best peak."""
    problem = problems.quadratic(condition_number=condition_number, dim=dim, noise=1.0)
    asked: Any = STEP_DECAY if schedule == "step" else schedule
    options = {"peak": "peak", "steps": steps} if schedule == "step" else None
    return xr.Dataset({"excess": best_peak("sgd", problem, schedule=asked, steps=steps, batch=batch, options=options).excess})


def on_quadratic(excess: xr.DataArray) -> dict[str, Measured]:
    """The final loss of each rival over cosine's, by budget."""
    ratio = excess / excess.sel(schedule="cosine")
    return {f"{rival}_{steps}": Measured.exact(float(ratio.sel(schedule=rival, steps=steps))) for rival in RIVALS for steps in BUDGETS}


def on_network(result: xr.Dataset) -> dict[str, Measured]:
    """Cosine's accuracy less each rival's in points, at the longest length, paired by seed."""
    last = 100 * result.accuracy.isel(multiple=-1)
    return {f"{rival}_network": mean_of((last.sel(schedule="cosine") - last.sel(schedule=rival)).values, CONFIDENCE) for rival in RIVALS}


_WORDS = {"constant": "a constant rate", "step": "steps"}

CLAIM = Claim(
    number=14,
    name="cosine_annealing",
    statement="Cosine annealing of the learning rate ends better than a constant rate or a step schedule with the same budget.",
    test=f"SGD on a noisy quadratic, κ = {KAPPA:g}, {DIM} coordinates, batches of {BATCH}, {', '.join(f'{n:,}' for n in BUDGETS)} "
    "steps: the exact expected final loss of a constant rate, and of steps (a tenth at half, a hundredth at three quarters), over that of "
    "cosine to zero, each at its own best peak (solved); better means more than 1. ResNet-8 with 8, 16 and 32 channels on textures for "
    "40 epochs, each schedule at the best of three peaks, fresh seeds: cosine's validation accuracy less the other's, paired by seed, "
    f"Student's {CONFIDENCE:.0%} interval; better means more than 0.",
    parts=tuple(
        part for rival in RIVALS for part in (
            *(Part(f"{rival}_{steps}", f"final loss of {_WORDS[rival]} over cosine's", (1.0, np.inf),
                   f"against {_WORDS[rival]}, quadratic, {steps:,} steps") for steps in BUDGETS),
            Part(f"{rival}_network", "cosine's accuracy less the other's, points", (0.0, np.inf), f"against {_WORDS[rival]}, network"),
        )
    ),
    measure=measure,
    sizes=SIZES,
    networks=2.5,
    reference="Loshchilov & Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017",
)  # fmt: skip
