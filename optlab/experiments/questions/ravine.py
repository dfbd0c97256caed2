"""Noiseless paths over the contours of f = (x^2/kappa + y^2)/2, every rule at its tuned learning rate.

Oscillation is counted: how often the step along the stiff direction changes its sign (Polyak 1964 on ravines; Sutskever et al. 2013).
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from pydantic import Field

from optlab.experiments.experiment import Experiment, ExperimentSpec, Run, Table
from optlab.experiments.paths import count, run_ravine
from optlab.experiments.spec import USUAL_RULES, Ravine


class RavineSpec(ExperimentSpec, Ravine):
    """Which rules, how long a ravine, how many steps."""

    rules: list[str] = Field(default=list(USUAL_RULES), min_length=1)


def measure(spec: RavineSpec, run: Run) -> xr.Dataset:
    """Paths, sign changes of the stiff step, and the flat direction's remaining distance."""
    paths = run_ravine(spec, spec.rules, run)
    swings = {"long_name": "sign changes of the step along the stiff direction"}
    variables = {
        "theta": (("rule", "step", "direction"), np.stack([path.points for path in paths]), {"long_name": "parameters"}),
        "alpha": ("rule", [path.alpha for path in paths], {"long_name": "learning rate"}),
        "sign_changes": ("rule", [path.sign_changes for path in paths], swings),
        "loss_final": ("rule", [path.final_loss for path in paths], {"long_name": "loss after the last step"}),
    }
    return xr.Dataset(variables, {"rule": spec.rules, "step": np.arange(spec.steps + 1), "direction": ["flat", "stiff"]})


def tables(data: xr.Dataset) -> list[Table]:
    """A row per rule."""
    rows = []
    for rule in data.rule.values:
        row = data.sel(rule=rule)
        left, swings = abs(float(row.theta[-1, 0])), f"{int(row.sign_changes)} of {data.sizes['step'] - 2}"
        rows.append([str(rule), f"{float(row.alpha):.4g}", swings, f"{left:.3g}", f"{float(row.loss_final):.3g}"])
    return [Table("paths", ["rule", "learning rate", "sign changes", "flat distance left", "final loss"], rows)]


def findings(data: xr.Dataset) -> list[str]:
    """Who swings most, who arrives."""
    most, best = data.isel(rule=int(np.argmax(data.sign_changes.values))), data.isel(rule=int(np.argmin(data.loss_final.values)))
    steps = data.sizes["step"] - 1
    return [
        f"{most.rule.item()} swings across the ravine most often: its step changes sign {int(most.sign_changes)} times in {steps} steps.",
        f"{best.rule.item()} ends lowest, at a loss of {float(best.loss_final):.3g}.",
    ]


EXPERIMENT = Experiment("ravine", RavineSpec, measure, lambda spec: count(spec, spec.rules), tables, findings)
