"""The cells of the numerical example y = w x + b: SGD and Adam under both conventions, with and without label noise."""

from __future__ import annotations

from itertools import product

import xarray as xr

from optlab import problems, rules
from optlab.claims.record import Setting
from optlab.experiments.experiment import Run
from optlab.experiments.spec import LineFit
from optlab.experiments.sweep import simulation_cell

SIZES = {"quick": 20_000, "full": 200_000}
RULES, CONVENTIONS, NOISES = ("sgd", "adam"), ("half", "full"), (0.0, LineFit().label_noise)
LEVEL = 0.01  #: of the loss: the example is said to have converged below it


def fitted(setting: Setting, run: Run) -> dict[tuple[str, str, float], xr.Dataset]:
    """The ensemble of each rule, convention and label noise, as the article sets it up (start at zero)."""
    spec = LineFit()
    points = list(product(RULES, CONVENTIONS, NOISES))
    cells = [
        simulation_cell(
            f"line fit: {rule}, {convention}, label noise {noise:g}", rules.get(rule),
            problems.line_fit(convention=convention, label_noise=noise), schedule=spec.alpha, steps=spec.steps, batch=spec.batch,
            trajectories=setting.pick(SIZES), rng=setting.seed, record="linear", reach=(LEVEL,),
        )
        for rule, convention, noise in points
    ]  # fmt: skip
    return dict(zip(points, run(cells), strict=True))
