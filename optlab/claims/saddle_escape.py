"""Claim 6: SGD escapes saddle points quickly thanks to its noise."""

from __future__ import annotations

import numpy as np
import xarray as xr

from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run
from optlab.experiments.questions.saddle import EXPERIMENT

SIZES = {"quick": 1000, "full": 10_000}


def measure(setting: Setting, run: Run) -> Findings:
    """The saddle experiment, SGD alone: times by noise; and what happens on the stable manifold without any."""
    asked = EXPERIMENT.read(seed=setting.seed, rules=["sgd"], turned=["sgd"], trajectories=setting.pick(SIZES))
    one = EXPERIMENT.measure(asked, run).sel(rule="sgd")
    slope, low, high, law = (float(one[name]) for name in ("slope", "slope_low", "slope_high", "slope_law"))
    left = float(one.turned_escape)
    numbers = {
        "logarithm": Measured(slope / law, low / law, high / law),
        "share": Measured.exact(float(one.escaped.min())),
        "manifold": Measured.exact(float(one.manifold_distance)),
        "rounding": Measured.exact(left if np.isfinite(left) else np.inf),
    }
    data = xr.Dataset({name: one[name] for name in ("escape_median", "escape_early", "escape_late", "predicted_median")})
    remark = f"Every factor of ten less noise costs {slope * np.log(10):.0f} steps more; at noise {float(one.noise[0]):g} half of the runs "
    return Findings(numbers, data.drop_vars("rule"), (remark + f"are out after {float(one.escape_median[0]):.0f} steps.",))


CLAIM = Claim(
    number=6,
    name="saddle_escape",
    statement="SGD escapes saddle points quickly thanks to the noise of its gradients.",
    test="SGD at a strict saddle of curvature −1, α = 0.1, gradient noise from 1e-6 to 1. Quickly: the median time grows with the "
    "logarithm of one over the noise, at the slope 1/ln(1 + α) of the linearized dynamics within 10 %, and at least 99 % of runs leave. "
    "Thanks to the noise: without any, a run that starts on the stable manifold stays for ever.",
    parts=(
        Part("logarithm", "steps per factor e less noise, measured over 1/ln(growth)", (0.9, 1.1), "with noise: how the time grows"),
        Part("share", "share of runs that leave, at the worst noise", (0.99, 1.0), "with noise: whether all leave"),
        Part("manifold", "largest distance from the stable manifold", (0.0, 0.0), "without noise, saddle along the axes"),
        Part("rounding", "step at which the run leaves", (np.inf, np.inf), "without noise, turned saddle: rounding alone"),
    ),
    measure=measure,
    sizes=SIZES,
    reference="Ge, Huang, Jin & Yuan, COLT 2015; Lee, Simchowitz, Jordan & Recht, COLT 2016",
)
