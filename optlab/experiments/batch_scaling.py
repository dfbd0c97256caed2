"""Steps to a level of the expected loss by batch size and learning rate, exact: the best rate of a batch size, and any other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import minimize_scalar

from optlab import problems, rules
from optlab.ensemble.predict import predict
from optlab.ensemble.second_moment import second_moment
from optlab.ensemble.simulate import simulate
from optlab.experiments.first_passage import DEVIATIONS, Curve, looks
from optlab.objectives import Rows

GRID = 25  #: learning rates scanned below the stability limit, over four decades


@dataclass(frozen=True)
class Race:
    """A rule on a table with mini-batches of one size, on its way to ``level`` within ``most`` steps."""

    rule: str
    rows: tuple[tuple[float, ...], ...]
    targets: tuple[float, ...]
    sampling: str
    batch: int
    level: float
    most: int

    @property
    def problem(self) -> Rows:
        """The table's least squares, started at 0."""
        return problems.least_squares(np.array(self.rows), np.array(self.targets), sampling=self.sampling)

    def steps(self, rate: float) -> float:
        """The step at which the exact expected loss meets the level, between looks by a line in the logs; infinite where it does not."""
        budget = 64
        while True:
            budget = min(budget, self.most)
            options: dict[str, Any] = {"schedule": rate, "steps": budget, "batch": self.batch, "record": looks(budget)}
            with np.errstate(over="ignore", invalid="ignore"):
                loss = predict(self.rule, self.problem, coordinates=False, **options)
            found = meeting(loss.step.values, loss.loss_mean.values, self.level)
            if found < math.inf or budget == self.most or not loss.loss_mean.values[-1] < 1e3 * loss.loss_mean.values[0]:
                return found
            budget *= 4

    def best(self) -> tuple[float, float]:
        """The learning rate of fewest steps below the stability limit of mini-batches, and those steps."""
        limit = second_moment(self.problem, rule=self.rule, batch=self.batch).stability_limit
        grid = np.log(limit) + np.linspace(math.log(1e-4), math.log(0.999), GRID)

        def cost(log_rate: float) -> float:
            return math.log(min(self.steps(math.exp(log_rate)), 1e18) + 1)

        values = [cost(x) for x in grid]
        i = int(np.argmin(values))
        ends = grid[max(i - 1, 0)], grid[min(i + 1, GRID - 1)]
        found = minimize_scalar(cost, bounds=ends, method="bounded", options={"xatol": 1e-3})
        rate = math.exp(found.x if found.fun < values[i] else grid[i])
        return rate, self.steps(rate)

    def simulated(self, rate: float, budget: int, trajectories: int, seed: int) -> tuple[float, float, float]:
        """The same by simulation: the first look with a mean loss at or below the level, and its 99 % interval."""
        options: dict[str, Any] = {"steps": budget, "batch": self.batch, "trajectories": trajectories, "rng": seed, "record": looks(budget)}
        with np.errstate(over="ignore", invalid="ignore"):
            run = simulate(rules.get(self.rule), self.problem, schedule=rate, quantiles=(), coordinates=False, **options)
        curve = Curve(run.step.values, run.loss_mean.values, DEVIATIONS * run.loss_standard_error.values, None, 0.0)
        return curve.first_below(self.level)


def meeting(step: np.ndarray, loss: np.ndarray, level: float) -> float:
    """Where a curve first meets the level: linear between looks, in the log of the loss.

    >>> meeting(np.array([0, 10, 20]), np.array([1.0, 0.1, 0.01]), 0.03162277660168379)
    15.0
    """
    below = np.flatnonzero(loss <= level)
    if not len(below):
        return math.inf
    j = int(below[0])
    if j == 0 or not loss[j] > 0:
        return float(step[j])
    above, under = math.log(loss[j - 1] / level), math.log(level / loss[j])
    return float(step[j - 1] + (step[j] - step[j - 1]) * above / (above + under)) if above + under > 0 else float(step[j])


def tuned(**options: Any) -> xr.Dataset:
    """A cell: the best learning rate of one batch size, its steps, and the stability limit of mini-batches."""
    race = Race(**options)
    rate, steps = race.best()
    limit = second_moment(race.problem, rule=race.rule, batch=race.batch).stability_limit
    return xr.Dataset({"alpha": rate, "steps": steps, "limit": limit})


def raced(*, alpha: float, trajectories: int, seed: int, **options: Any) -> xr.Dataset:
    """A cell: exact and simulated steps of one batch size at a given learning rate."""
    race = Race(**options)
    exact = race.steps(alpha)
    budget = int(min(max(64, 1.5 * exact), race.most)) if exact < math.inf else 64
    steps, low, high = race.simulated(alpha, budget, trajectories, seed)
    return xr.Dataset({"steps_exact": exact, "steps": steps, "steps_low": low, "steps_high": high})
