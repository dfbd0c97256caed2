"""Searching learning rates and schedules for a table: by the exact prediction where there is one, else by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import minimize_scalar

from optlab import schedules
from optlab.analysis import free_parameters, is_linear
from optlab.analysis.tuning import tune
from optlab.ensemble.bind import learning_rates
from optlab.ensemble.budget import FAMILIES
from optlab.ensemble.moments import Moments
from optlab.ensemble.predict import predict
from optlab.ensemble.simulate import simulate
from optlab.errors import UnsupportedError
from optlab.expressions import Rule, Schedule
from optlab.objectives import Rows

EXACT_SEARCH, EXACT_CURVE = 4e8, 5e10  #: floating-point operations above which one prediction is too dear
EXACT, SIMULATED = "exact prediction", "simulation"


@dataclass(frozen=True)
class RuleAdvice:
    """One rule. Step sizes are in the units of the columns worked with, losses in target^2."""

    name: str
    rule: Rule  #: with the hyper-parameters of ``best``
    linear: bool
    tuned_alpha: float | None  #: noiseless minimax tuning over [mu, L]; None for adaptive rules
    tuned_parameters: dict[str, float]
    rate: float | None  #: error factor per step of that tuning, without noise
    steps_per_1000: float | None  #: steps for the distance to the minimizer to shrink 1000-fold, ln 1000 / -ln rate
    tuned_loss: float | None  #: what the noiseless tuning gives at the end of the budget with mini-batches; None: it diverges
    alpha: float  #: best constant step size found for this budget and batch
    parameters: dict[str, float]  #: the hyper-parameters that go with it
    loss: float  #: expected loss at the end of the budget
    excess: float  #: the same above the minimum
    found_by: str  #: "exact prediction" or "simulation"
    predicted: xr.Dataset | None
    simulated: xr.Dataset
    largest_z: float | None  #: |simulated - predicted| in standard errors, the largest; heavy tails near instability inflate it


@dataclass(frozen=True)
class ScheduleAdvice:
    """One schedule at its best peak, for the best linear rule."""

    name: str
    schedule: Schedule
    peak: float
    loss: float
    excess: float
    gain: float | None  #: excess of the constant schedule over this excess
    found_by: str
    predicted: xr.Dataset | None
    simulated: xr.Dataset
    largest_z: float | None


@dataclass
class StepSearch:
    """Finding step sizes on one problem with one budget."""

    problem: Rows
    batch: int
    steps: int
    runs: int
    seed: int
    minimum: float
    start: float
    mu: float
    L: float
    distance: float  #: the largest coefficient of the minimizer, in absolute value
    _known: dict[tuple[str, str], Moments] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        n, d = self.problem.n, self.problem.dim
        small = d <= 32 and d * d <= 4 * n
        self.cost = 0.4 * n * d**4 * small + self.steps * ((d**4 if small else 4 * n * d * d) + 40 * d**3)
        self.exact = self.cost <= EXACT_SEARCH
        points = 60 if n * self.runs <= 1e7 else 12
        ends = np.r_[np.linspace(0, self.steps, 2 * points // 3), np.geomspace(1, self.steps, points // 3)]
        self.record = [int(step) for step in np.unique(np.rint(ends))]

    def excess(self, rule: Rule, schedule: Schedule | float, exact: bool) -> float:
        """Expected loss above the minimum at the end of the budget; infinite where it diverges."""
        if exact:
            above = float(self._moments(rule).final_excess(learning_rates(schedule, self.steps)))
            return above if math.isfinite(above) else math.inf
        options: dict[str, Any] = {
            "schedule": schedule,
            "steps": self.steps,
            "batch": self.batch,
            "record": [self.steps],
            "coordinates": False,
        }
        with np.errstate(over="ignore", invalid="ignore"):
            # common random numbers: step sizes are compared on the same batches
            loss = simulate(rule, self.problem, **options, trajectories=min(self.runs, 128), rng=self.seed, common=True).loss_mean.item()
        above = loss - self.minimum
        return max(above, 0.0) if math.isfinite(above) and above > -1e-9 * self.start else math.inf

    def _moments(self, rule: Rule) -> Moments:
        """The exact moments under a rule: its fourth moments are summed over the rows once, not at every step size."""
        key = (rule.fingerprint, rule.label())
        if key not in self._known:
            self._known[key] = Moments(rule, self.problem, self.batch)
        return self._known[key]

    def curves(self, rule: Rule, schedule: Schedule | float) -> dict[str, Any]:
        """Predicted (where it can be) and simulated curves, how far apart they are, and the expected loss at their end."""
        options: dict[str, Any] = {
            "schedule": schedule,
            "steps": self.steps,
            "batch": self.batch,
            "record": self.record,
            "coordinates": False,
        }
        predicted = None
        with np.errstate(over="ignore", invalid="ignore"):
            if is_linear(rule) and self.cost <= EXACT_CURVE:
                predicted = predict(rule, self.problem, **options)
            simulated = simulate(rule, self.problem, **options, trajectories=self.runs, rng=self.seed)
        loss, z = float((simulated if predicted is None else predicted).loss_mean[-1]), None
        if predicted is not None:
            off, error = np.abs(simulated.loss_mean - predicted.loss_mean).values, simulated.loss_standard_error.values
            noisy = (error > 1e-12 * np.abs(predicted.loss_mean.values)) & np.isfinite(error)
            z = float((off[noisy] / error[noisy]).max()) if noisy.any() else None
        excess = max(loss - self.minimum, 0.0)
        return {"loss": loss, "excess": excess, "predicted": predicted, "simulated": simulated, "largest_z": z}

    def best(self, excess: Callable[[float], float], grid: np.ndarray, refine: bool) -> tuple[float, float]:
        """The step size (four digits) of least excess, and that excess: a grid, wider where its end is best, then between its points."""
        seen: dict[float, float] = {}

        def value(log_alpha: float) -> float:
            alpha = float(f"{math.exp(log_alpha):.4g}")
            if alpha not in seen:
                seen[alpha] = excess(alpha)
            return math.log(min(max(seen[alpha], 1e-14 * self.start), 1e300))

        points, still = list(np.log(grid)), math.log(max(self.start - self.minimum, 1e-14 * self.start))
        gap = points[1] - points[0]
        for _ in range(40):
            i = min(range(len(points)), key=lambda k: value(points[k]))
            if 0 < i < len(points) - 1 or abs(value(points[i]) - still) < 1e-3:  # still: no step size does better than not to move
                break
            points = [points[0] - gap, *points] if i == 0 else [*points, points[-1] + gap]
        low, high = points[max(i - 1, 0)], points[min(i + 1, len(points) - 1)]
        if refine:
            minimize_scalar(value, bounds=(low, high), method="bounded", options={"xatol": 0.01, "maxiter": 12})
        else:
            for x in (points[i] - gap / 2, points[i] + gap / 2):
                value(x)
        alpha = min(seen, key=lambda a: seen[a])
        return alpha, seen[alpha]

    def linear(self, rule: Rule) -> RuleAdvice:
        """Minimax tuning, then the best step for the budget with its hyper-parameters or the default ones."""
        candidates: list[tuple[dict[str, float], Rule, float]] = []
        tuned = None
        try:
            tuned = tune(rule, self.mu, self.L)
            candidates.append((tuned.parameters, tuned.tuned_rule, 2 * tuned.alpha))
            free = {str(p): rule.parameters[p].default for p in free_parameters(rule)}
            if free and None not in free.values():
                usual = rule.with_(**free)
                candidates.append(({key: float(value) for key, value in free.items()}, usual, 2 * tune(usual, self.mu, self.L).alpha))  # type: ignore[arg-type]
        except UnsupportedError:  # a hyper-parameter that is not tuned keeps its value
            if not candidates:
                candidates.append(({}, rule, 10 / self.L))
        results = []
        for parameters, chosen, high in candidates:
            grid = np.geomspace(high * 1e-3 / self.steps, high, 12)
            results.append((*self.best(lambda a, r=chosen: self.excess(r, a, self.exact), grid, self.exact), parameters, chosen))  # type: ignore[misc]
        alpha, _, parameters, chosen = min(results, key=lambda item: item[1])
        noisy = self.excess(tuned.tuned_rule, tuned.alpha, self.exact) if tuned else math.inf
        speed = -math.log(tuned.rate) if tuned and 0 < tuned.rate < 1 else 0.0
        return RuleAdvice(
            name=rule.name, rule=chosen, linear=True, tuned_alpha=tuned.alpha if tuned else None,
            tuned_parameters=dict(tuned.parameters) if tuned else {}, rate=tuned.rate if tuned else None,
            steps_per_1000=math.log(1000) / speed if speed else None,
            tuned_loss=noisy + self.minimum if noisy <= self.start - self.minimum else None, alpha=alpha, parameters=parameters,
            found_by=EXACT if self.exact else SIMULATED, **self.curves(chosen, alpha),
        )  # fmt: skip

    def adaptive(self, rule: Rule) -> RuleAdvice:
        """The step size by simulation; an adaptive step is about alpha in every coordinate, so the grid hangs on the distance to go."""
        grid = (self.distance or 1.0) * 10 ** np.arange(-4.0, 0.01, 0.5)
        alpha, _ = self.best(lambda a: self.excess(rule, a, False), grid, False)
        return RuleAdvice(
            name=rule.name, rule=rule, linear=False, tuned_alpha=None, tuned_parameters={}, rate=None, steps_per_1000=None, tuned_loss=None,
            alpha=alpha, parameters={str(key): float(value) for key, value in rule.values.items()}, found_by=SIMULATED,
            **self.curves(rule, alpha),
        )  # fmt: skip

    def schedule(self, name: str, base: RuleAdvice, constant: float | None) -> ScheduleAdvice:
        """The best peak of one schedule; the constant one has been found."""

        def made(peak: float) -> Schedule:
            return schedules.get(name, **FAMILIES[name](peak, self.steps))

        peak = base.alpha
        if name != "constant":
            grid = base.alpha * np.geomspace(1 / 4, 64, 8)
            peak, _ = self.best(lambda a: self.excess(base.rule, made(a), self.exact), grid, self.exact)
        found = self.curves(base.rule, made(peak))
        gain = 1.0 if constant is None else constant / found["excess"] if found["excess"] else None
        return ScheduleAdvice(name=name, schedule=made(peak), peak=peak, gain=gain, found_by=base.found_by, **found)
