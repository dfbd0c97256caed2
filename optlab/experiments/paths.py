"""What does a ravine do to each rule? Noiseless paths over the contours of f = (x^2/kappa + y^2)/2, each rule tuned for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from optlab import problems, rules
from optlab.analysis import is_linear
from optlab.analysis.tuning import tune
from optlab.experiments.comparison import GRID, Run
from optlab.experiments.spec import Ravine
from optlab.experiments.sweep import simulation_cell

START = (-1.0, 0.6)


@dataclass(frozen=True)
class Path:
    """One rule's path: points (steps + 1, 2), its learning rate, and how often the stiff coordinate's step changes sign."""

    rule: str
    alpha: float
    points: np.ndarray
    sign_changes: int
    final_loss: float


def count(spec: Ravine, names: list[str]) -> int:
    """How many cells the pictures run."""
    return sum(1 if is_linear(rules.get(name)) else len(GRID) for name in names)


def run_ravine(spec: Ravine, names: list[str], run: Run) -> list[Path]:
    """The path of every rule: linear ones at their minimax tuning, adaptive ones at the best of a grid of learning rates."""
    problem = problems.quadratic(spectrum=[1 / spec.kappa, 1.0], theta0=list(START))
    options: dict[str, Any] = {"steps": spec.steps, "record": list(range(spec.steps + 1)), "keep": 1}
    out = []
    for name in names:
        rule = rules.get(name)
        if is_linear(rule):
            tuned = tune(rule, 1 / spec.kappa, 1.0)
            tried = [(tuned.alpha, tuned.tuned_rule)]
        else:
            tried = [(alpha, rule) for alpha in GRID]
        results = run([simulation_cell(f"ravine: {name} at {alpha:.3g}", r, problem, schedule=alpha, **options) for alpha, r in tried])
        losses = [float(result.loss_mean[-1]) for result in results]
        best = int(np.argmin(losses))
        points = results[best].theta.values[0]
        steps = np.sign(np.diff(points[:, 1]))
        out.append(Path(name, tried[best][0], points, int((steps[1:] * steps[:-1] < 0).sum()), losses[best]))
    return out
