"""How do the rules compare on ill-conditioned quadratics, each at its best constant step size for the budget?

Linear rules: hyper-parameters by the noiseless minimax tuning over [mu, L], then the learning rate that minimizes the exactly
predicted final loss. Adaptive rules: default hyper-parameters, the learning rate by simulation over a grid of half-decades.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import minimize_scalar

from optlab import bounds, problems, rules
from optlab.analysis import is_linear
from optlab.analysis.tuning import tune
from optlab.ensemble.agreement import Agreement, compare
from optlab.ensemble.predict import predict
from optlab.experiments.spec import Quadratics
from optlab.experiments.sweep import Cell, simulation_cell
from optlab.expressions import Rule
from optlab.objectives import Problem, Separable

GRID = tuple(float(f"{x:.3g}") for x in 10 ** np.arange(-4.0, 0.01, 0.5))  #: learning rates tried for adaptive rules
SEARCH_RUNS = 512
Run = Callable[[list[Cell]], list[xr.Dataset]]


@dataclass(frozen=True)
class Entry:
    """One rule on one quadratic."""

    rule: Rule  #: with its tuned hyper-parameters
    name: str
    alpha: float
    simulated: xr.Dataset
    exact: xr.Dataset | None
    bound: np.ndarray | None  #: at the recorded steps, where a bound applies
    agreement: Agreement | None
    tuned_alpha: float | None  #: noiseless minimax tuning
    tuned_rate: float | None
    measured_rate: float | None  #: decay per step measured without noise at that tuning
    searched: dict[float, float] | None  #: learning rate -> final loss of the search


@dataclass(frozen=True)
class Comparison:
    """All rules on one quadratic."""

    kappa: float
    problem: Separable
    entries: tuple[Entry, ...]


def count(spec: Quadratics, names: list[str]) -> int:
    """How many cells the comparison runs."""
    linear = sum(is_linear(rules.get(name)) for name in names)
    return len(spec.kappas) * (3 * linear + (len(GRID) + 1) * (len(names) - linear))


def problem_of(spec: Quadratics, kappa: float, noise: float | None = None) -> Separable:
    """The quadratic of one condition number."""
    return problems.quadratic(
        condition_number=kappa, dim=spec.dim, spectrum=spec.spectrum, rotation=spec.rotation, noise=spec.noise if noise is None else noise
    )


def best_learning_rate(rule: Rule, problem: Problem, largest: float, *, steps: int, batch: int) -> float:
    """The constant learning rate that minimizes the exactly predicted final loss, within a factor 1e-6 .. 1 of ``largest``."""

    def final(log_alpha: float) -> float:
        loss = predict(rule, problem, schedule=float(np.exp(log_alpha)), steps=steps, batch=batch, record=[steps]).loss_mean.item()
        return float(np.log(loss)) if np.isfinite(loss) and loss > 0 else 700.0

    grid = np.log(largest) + np.linspace(np.log(1e-6), 0, 25)
    values = [final(x) for x in grid]
    i = int(np.argmin(values))
    found = minimize_scalar(final, bounds=(grid[max(i - 1, 0)], grid[min(i + 1, len(grid) - 1)]), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def compare_rules(spec: Quadratics, names: list[str], seed: int, run: Run) -> list[Comparison]:
    """Run the comparison for every condition number."""
    checks = sum(is_linear(rules.get(name)) for name in names) * len(spec.kappas)
    out = []
    for kappa in spec.kappas:
        problem = problem_of(spec, kappa)
        entries = [(_linear if is_linear(rules.get(name)) else _adaptive)(spec, name, problem, seed, run, checks) for name in names]
        out.append(Comparison(kappa, problem, tuple(entries)))
    return out


def _options(spec: Quadratics, seed: int) -> dict[str, Any]:
    return {"steps": spec.steps, "batch": spec.batch, "trajectories": spec.trajectories, "rng": seed, "record": "log", "coordinates": False}


def _linear(spec: Quadratics, name: str, problem: Separable, seed: int, run: Run, checks: int) -> Entry:
    mu, L = min(problem.spectrum), max(problem.spectrum)
    tuned = tune(name, mu, L)
    rule = tuned.tuned_rule
    alpha = best_learning_rate(rule, problem, tuned.alpha, steps=spec.steps, batch=spec.batch)
    options = _options(spec, seed) | {"schedule": float(f"{alpha:.4g}")}
    kappa = L / mu
    quiet = problem_of(spec, kappa, noise=0.0)
    steps = int(min(20_000, max(50, 12 / max(-np.log(tuned.rate), 1e-9))))
    simulated, exact, noiseless = run([
        simulation_cell(f"kappa {kappa:g}: {name}", rule, problem, **options),
        simulation_cell(f"kappa {kappa:g}: {name}, exact", rule, problem, exact=True, **{**options, "trajectories": 1}),
        simulation_cell(f"kappa {kappa:g}: {name}, noiseless", rule, quiet, schedule=tuned.alpha, steps=steps, rng=seed, coordinates=False),
    ])  # fmt: skip
    bound = None
    if rule == rules.get("sgd") and alpha <= 1 / L:
        values = {
            "alpha": float(options["schedule"]),
            "L": L,
            "mu": mu,
            "gap": float(exact.loss_mean[0]),
            "trace": problem.dim * problem.noise**2 / spec.batch,
        }
        formula = bounds.get("fixed_step_sgd").at(values)
        bound = np.array([float(formula.subs(bounds.T, int(step))) for step in exact.step.values])
    return Entry(
        rule, name, float(options["schedule"]), simulated, exact, bound, compare(simulated, exact, comparisons=checks),
        tuned.alpha, tuned.rate, decay_rate(noiseless), None,
    )  # fmt: skip


def _adaptive(spec: Quadratics, name: str, problem: Separable, seed: int, run: Run, checks: int) -> Entry:
    rule, options = rules.get(name), _options(spec, seed)
    kappa = max(problem.spectrum) / min(problem.spectrum)
    trial = options | {"trajectories": SEARCH_RUNS, "record": [spec.steps]}
    found = run([simulation_cell(f"kappa {kappa:g}: {name} at {alpha:g}", rule, problem, schedule=alpha, **trial) for alpha in GRID])
    searched = {alpha: float(result.loss_mean[-1]) for alpha, result in zip(GRID, found, strict=True)}
    alpha = min(searched, key=lambda a: searched[a])
    (simulated,) = run([simulation_cell(f"kappa {kappa:g}: {name}", rule, problem, schedule=alpha, **options)])
    return Entry(rule, name, alpha, simulated, None, None, None, None, None, None, searched)


def decay_rate(noiseless: xr.Dataset) -> float | None:
    """The factor per step by which the error shrinks, from the slope of log loss over the last half of the steps."""
    loss, step = noiseless.loss_mean.values, noiseless.step.values
    late = (step >= step[-1] / 2) & (loss > 1e-25 * loss[0])
    if late.sum() < 5:
        return None
    return float(np.exp(np.polyfit(step[late], np.log(loss[late]), 1)[0] / 2))
