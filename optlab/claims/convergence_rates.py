"""What claims 3 and 4 share: the convergence experiment, of which each reads one schedule."""

from __future__ import annotations

import xarray as xr

from optlab.claims.record import Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run
from optlab.experiments.questions.convergence import EXPERIMENT

SIZES = {"quick": 1024, "full": 8192}  #: runs
KINDS = {
    "quadratic": "a quadratic (strongly convex)", "least_squares": "least squares (strongly convex)",
    "logistic": "logistic regression (convex)", "huber": "Huber's regression (convex)",
}  # fmt: skip


def slopes(setting: Setting, run: Run, schedule: str) -> Findings:
    """The slope of log excess loss against log T over the last decade, of every problem under one schedule."""
    result = EXPERIMENT.measure(EXPERIMENT.read(seed=setting.seed, problems=list(KINDS), trajectories=setting.pick(SIZES)), run)
    chosen = result.sel(schedule=schedule)
    numbers = {kind: Measured(*(float(chosen[name].sel(problem=kind)) for name in ("slope", "slope_low", "slope_high"))) for kind in KINDS}
    data = xr.Dataset({name: chosen[name] for name in ("excess", "slope")}).drop_vars("schedule")
    return Findings(numbers, data, (f"{setting.pick(SIZES):,} runs, {int(result.step[-1]):,} steps.",))


def parts(most: float, kinds: tuple[str, ...]) -> tuple[Part, ...]:
    """A slope of at most ``most`` on each kind of problem."""
    return tuple(Part(kind, "slope of log excess loss over log T, last decade", (float("-inf"), most), KINDS[kind]) for kind in kinds)
