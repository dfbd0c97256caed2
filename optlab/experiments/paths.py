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
from optlab.experiments.swing import turns
from optlab.expressions import Rule
from optlab.objectives import Separable

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


def problem_of(spec: Ravine, noise: float = 0.0, start: tuple[float, float] = START) -> Separable:
    """The ravine, from the start of the pictures."""
    return problems.quadratic(spectrum=[1 / spec.kappa, 1.0], theta0=list(start), noise=noise)


def candidates(spec: Ravine, name: str) -> list[tuple[float, Rule]]:
    """The learning rates to try, and the rule with the hyper-parameters that go with them."""
    rule = rules.get(name)
    if not is_linear(rule):
        return [(alpha, rule) for alpha in GRID]
    tuned = tune(rule, 1 / spec.kappa, 1.0)
    return [(tuned.alpha, tuned.tuned_rule)]


def run_ravine(spec: Ravine, names: list[str], run: Run, start: tuple[float, float] = START) -> list[Path]:
    """The path of every rule: linear ones at their minimax tuning, adaptive ones at the best of a grid of learning rates."""
    problem = problem_of(spec, start=start)
    options: dict[str, Any] = {"steps": spec.steps, "record": list(range(spec.steps + 1)), "keep": 1}
    tried = {name: candidates(spec, name) for name in names}
    cells = [
        simulation_cell(f"ravine: {name} at {alpha:.3g}", rule, problem, schedule=alpha, **options)
        for name in names
        for alpha, rule in tried[name]
    ]
    results = iter(run(cells))
    out = []
    for name in names:
        found = [next(results) for _ in tried[name]]
        losses = [float(result.loss_mean[-1]) for result in found]
        best = int(np.argmin(losses))
        points = found[best].theta.values[0]
        out.append(Path(name, tried[name][best][0], points, int(turns(points[:, 1]).sum()), losses[best]))
    return out
