"""Claim 13: the learning rate is the most critical hyper-parameter: too large diverges, too small crawls."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from optlab import problems, rules
from optlab.analysis import analyze
from optlab.claims.intervals import normal_half_width, share
from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.experiments.comparison import GRID, SEARCH_RUNS, best_learning_rate
from optlab.experiments.experiment import Run
from optlab.experiments.sweep import Cell, simulation_cell
from optlab.symbols import lam

SIZES = {"quick": 2_000, "full": 20_000}
STEPS, BATCH, KAPPA, DIM = 1000, 16, 100.0, 10
#: Adam's other hyper-parameters, each moved to either side of its default by a factor of ten in what it means: memory 1 - beta, or eps.
OTHERS = {"beta1": (0.0, 0.99), "beta2": (0.99, 0.9999), "eps": (1e-9, 1e-7)}


def measure(setting: Setting, run: Run) -> Findings:
    """SGD beyond its limit and far below it; Adam with one hyper-parameter moved at a time."""
    problem = problems.quadratic(condition_number=KAPPA, dim=DIM, noise=1.0)
    runs = setting.pick(SIZES)
    options: dict[str, Any] = {"steps": STEPS, "batch": BATCH, "trajectories": runs, "rng": setting.seed, "record": [0, STEPS]}
    options["coordinates"] = False

    def cell(name: str, rule: str, alpha: float, batch: int = BATCH, trajectories: int = runs, chosen: Any = None) -> Cell:
        label = f"claim 13: {rule}, {name}"
        return simulation_cell(
            label, rules.get(rule).with_(**chosen) if chosen else rules.get(rule), problem,
            **(options | {"schedule": alpha, "batch": batch, "trajectories": trajectories}),
        )  # fmt: skip

    limit = float(analyze("sgd").stability_limit.subs(lam, max(problem.spectrum)))
    best_sgd = best_learning_rate(rules.get("sgd"), problem, limit / 2, steps=STEPS, batch=BATCH)
    large, small, fair, *searched = run([
        cell("5 % beyond the limit", "sgd", 1.05 * limit), cell("a thousandth of the limit", "sgd", limit / 1000),
        cell("its best", "sgd", float(f"{best_sgd:.4g}")),
        *(cell(f"{alpha:g}", "adam", alpha, trajectories=SEARCH_RUNS) for alpha in GRID),
    ])  # fmt: skip
    best = GRID[int(np.argmin([float(one.loss_mean[-1]) for one in searched]))]
    moves: dict[str, list[Cell]] = {"alpha": [cell(f"rate {a:g}", "adam", a) for a in (best / 10, best * 10)]}
    for name, values in OTHERS.items():
        moves[name] = [cell(f"{name} = {value:g}", "adam", best, chosen={name: value}) for value in values]
    moves["batch"] = [cell(f"batch {b}", "adam", best, batch=b) for b in (max(1, BATCH // 10), BATCH * 10)]
    (base,), found = run([cell("at its best", "adam", best)]), {name: run(cells) for name, cells in moves.items()}
    harm = {name: max(map(logarithm, results), key=lambda pair: pair[0]) for name, results in found.items()}
    middle, error = logarithm(base)
    other = max((name for name in harm if name != "alpha"), key=lambda name: harm[name][0])
    gap = harm["alpha"][0] - harm[other][0]
    half = normal_half_width() * float(np.hypot(harm["alpha"][1], harm[other][1]))
    (slow, slow_error), (quick, quick_error) = logarithm(small), logarithm(fair)
    numbers = {
        "large": grown(large, runs), "critical": Measured.around(gap, half),
        "small": Measured.around(slow - quick, normal_half_width() * float(np.hypot(slow_error, quick_error))),
    }  # fmt: skip
    data = xr.Dataset(
        {"harm": ("parameter", [value - middle for value, _ in harm.values()], {"long_name": "log10 of loss over the best setting's"}),
         "error": ("parameter", [float(np.hypot(e, error)) for _, e in harm.values()], {"long_name": "standard error"})},
        {"parameter": list(harm)},
    )  # fmt: skip
    return Findings(numbers, data, (f"Adam's best learning rate of half-decades is {best:g}; next to it, {other} does most harm.",))


def logarithm(found: xr.Dataset) -> tuple[float, float]:
    """log10 of the final mean loss and its standard error."""
    loss = float(found.loss_mean[-1])
    return float(np.log10(loss)), float(found.loss_standard_error[-1]) / loss / np.log(10)


def grown(found: xr.Dataset, runs: int) -> Measured:
    """The share of runs whose loss has grown: those beyond the smallest recorded quantile that has, at least."""
    start, levels = float(found.loss_mean[0]), found.loss_quantile[:, -1]
    above = [float(q) for q, value in zip(found["quantile"].values, levels.values, strict=True) if not value <= start]
    return share(round(runs * (1 - min(above))) if above else 0, runs)


CLAIM = Claim(
    number=13,
    name="learning_rate",
    statement="The learning rate is the most critical hyper-parameter: too large diverges, too small crawls.",
    test=f"A quadratic, κ = {KAPPA:g}, {DIM} coordinates, noise 1, batches of {BATCH}, {STEPS} steps. SGD 5 % beyond its limit 2/L: at "
    "least 90 % of runs end with a larger loss than they began with. SGD at a thousandth of the limit leaves at least ten times the loss "
    "that its best constant rate leaves. Adam at its best learning rate: a factor of ten in the learning rate does more harm to the final "
    "loss (log₁₀) than a factor of ten in any of 1 − β₁, 1 − β₂, eps or the batch.",
    parts=(
        Part("large", "share of runs whose loss has grown", (0.9, 1.0), "SGD, 5 % beyond 2/L"),
        Part("small", "log₁₀ of the final loss over that of the best rate", (1.0, np.inf), "SGD, a thousandth of 2/L"),
        Part("critical", "harm of a factor of ten in the learning rate less that in the next worst", (0.0, np.inf), "Adam"),
    ),
    measure=measure,
    sizes=SIZES,
)
