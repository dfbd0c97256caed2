"""Do decaying step sizes give 1/sqrt(T) and 1/T? Slopes of log loss against log T, with intervals.

A slope is fitted only where theory's own local slope, from the exact prediction, is within 0.02 of the limit: before that
the transient is fitted, not the regime. The interval comes from independent replicates (Student's t, 99 %).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from optlab import bounds, problems, rules, schedules
from optlab.ensemble.agreement import Agreement, compare
from optlab.ensemble.bind import learning_rates
from optlab.ensemble.predict import predict
from optlab.experiments.comparison import Run
from optlab.experiments.spec import Regimes
from optlab.experiments.sweep import simulation_cell
from optlab.expressions import Schedule
from optlab.objectives import Problem

TOLERANCE = 0.02
CONFIDENCE = 0.99


@dataclass(frozen=True)
class Slope:
    """One fitted regime."""

    schedule: Schedule
    limit: float
    window: tuple[int, int] | None  #: steps fitted, None if theory never comes within the tolerance
    slope: float | None
    half_width: float | None
    theory_slope: float | None  #: the same fit to the exact prediction
    simulated: xr.Dataset  #: replicate, step
    exact: xr.Dataset
    bound: np.ndarray
    bound_name: str
    bounded: np.ndarray  #: the exact value of what the bound bounds
    agreement: Agreement

    @property
    def contains_limit(self) -> bool | None:
        """Whether the interval, widened by the tolerance, holds the limit."""
        if self.slope is None or self.half_width is None:
            return None
        return abs(self.slope - self.limit) <= self.half_width + TOLERANCE


def count(spec: Regimes) -> int:
    """How many cells the fits run."""
    return 2 * (spec.replicates + 1)


def fit_regimes(spec: Regimes, seed: int, run: Run) -> list[Slope]:
    """Simulate SGD under inverse_sqrt and inverse_time on a quadratic with additive noise, and fit both slopes."""
    problem = problems.quadratic(condition_number=spec.condition_number, dim=spec.dim, noise=spec.noise)
    mu, L = min(problem.spectrum), max(problem.spectrum)
    c = 2 / mu
    chosen = (
        (schedules.get("inverse_sqrt", a=1 / L), -0.5, "convex_sgd"),
        (schedules.get("inverse_time", c=c, t0=c * L), -1.0, "strongly_convex_sgd"),
    )
    record = np.unique(np.concatenate([[0], np.rint(np.geomspace(1, spec.steps, 161)).astype(int)])).tolist()
    out = []
    for schedule, limit, bound_name in chosen:
        options = {"schedule": schedule, "steps": spec.steps, "batch": 1, "record": record, "coordinates": False}
        each = max(spec.trajectories // spec.replicates, 1)
        cells = [
            simulation_cell(
                f"{schedule.name}: replicate {k + 1}", rules.get("sgd"), problem, trajectories=each, rng=seed * 1_000_003 + k, **options
            )
            for k in range(spec.replicates)
        ]
        *parts, exact = run([*cells, simulation_cell(f"{schedule.name}: exact", rules.get("sgd"), problem, exact=True, **options)])
        simulated = xr.concat(parts, "replicate", combine_attrs="drop_conflicts")
        simulated.attrs["trajectories"] = each * spec.replicates
        window = regime_window(exact, limit)
        fits = [fit_slope(part.step.values, part.loss_mean.values, window) for part in parts] if window else []
        half = float(stdtrit(len(fits) - 1, (1 + CONFIDENCE) / 2) * np.std(fits, ddof=1) / np.sqrt(len(fits))) if window else None
        values = {str(k): float(v) for k, v in schedule.values.items()}
        values |= {
            "mu": mu,
            "L": L,
            "gap": float(exact.loss_mean[0]),
            "trace": problem.dim * spec.noise**2,
            "distance2": sum(v**2 for v in problem.start.point),
        }
        formula = bounds.get(bound_name).at(values)
        bound = np.array([float(formula.subs(bounds.T, int(step))) if step else np.nan for step in exact.step.values])
        bounded = exact.loss_mean.values if bound_name != "convex_sgd" else _weighted_average(problem, schedule, spec, exact)
        out.append(Slope(
            schedule, limit, window, float(np.mean(fits)) if window else None, half,
            fit_slope(exact.step.values, exact.loss_mean.values, window) if window else None, simulated, exact, bound, bound_name, bounded,
            compare(_pooled(simulated), exact, comparisons=2),
        ))  # fmt: skip
    return out


def regime_window(exact: xr.Dataset, limit: float) -> tuple[int, int] | None:
    """The last stretch of steps in which the exact local slope stays within the tolerance of the limit (at least half an octave)."""
    step, loss = exact.step.values[1:].astype(float), exact.loss_mean.values[1:]
    local = np.gradient(np.log(loss), np.log(step))
    outside = np.flatnonzero(np.abs(local - limit) > TOLERANCE)
    first = int(outside[-1]) + 1 if len(outside) else 0
    if first >= len(step) - 1 or step[-1] / step[first] < np.sqrt(2):
        return None
    return int(step[first]), int(step[-1])


def fit_slope(step: np.ndarray, loss: np.ndarray, window: tuple[int, int]) -> float:
    """The least-squares slope of log loss against log step inside the window."""
    inside = (step >= window[0]) & (step <= window[1])
    return float(np.polyfit(np.log(step[inside]), np.log(loss[inside]), 1)[0])


def _pooled(simulated: xr.Dataset) -> xr.Dataset:
    """The replicates as one sample of runs."""
    mean = simulated.loss_mean.mean("replicate")
    within = simulated.loss_variance.mean("replicate")
    return xr.Dataset({"loss_mean": mean, "loss_variance": within}, attrs=simulated.attrs)


def _weighted_average(problem: Problem, schedule: Schedule, spec: Regimes, exact: xr.Dataset) -> np.ndarray:
    """The alpha-weighted average of the exact expected losses before each recorded step."""
    every = predict("sgd", problem, schedule=schedule, steps=spec.steps, batch=1, record=range(spec.steps + 1), coordinates=False)
    alphas = learning_rates(schedule, spec.steps)
    sums = np.concatenate([[np.nan], np.cumsum(alphas * every.loss_mean.values[:-1]) / np.cumsum(alphas)])
    return sums[exact.step.values]
