"""What should I use on my data? Step sizes, momentum, rates and a schedule for a linear model on a user's own table.

The objective is ``f(theta) = 1/(2n) sum_r (x_r . theta - y_r)^2``, whose last feature is a column of ones (the
intercept), so its Hessian is ``H = X'X/n``. All quantities are those of *this* table and *its* mini-batches.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import minimize_scalar

from optlab import problems, schedules
from optlab import rules as rule_registry
from optlab.analysis import free_parameters, is_linear
from optlab.analysis.tuning import tune
from optlab.ensemble.philox import read_seed
from optlab.ensemble.predict import predict
from optlab.ensemble.simulate import simulate
from optlab.errors import InputError, UnsupportedError
from optlab.experiments.tables import Design, Table, read_table
from optlab.expressions import Rule, Schedule
from optlab.objectives import Rows, whole

Progress = Callable[[int, int, str], None]
EXACT_SEARCH, EXACT_CURVE = 4e8, 5e10  #: floating-point operations above which one prediction is too dear
EXACT, SIMULATED = "exact prediction", "simulation"

#: The schedules tried: from the peak and the number of steps, the options of the schedule of that name.
FAMILIES: dict[str, Callable[[float, int], dict[str, float]]] = {
    "constant": lambda peak, steps: {"alpha": peak},
    "inverse_sqrt": lambda peak, steps: {"a": peak},
    "inverse_time": lambda peak, steps: {"c": peak * max(1, steps // 9), "t0": max(1, steps // 9)},  # a tenth of the peak at the end
    "cosine": lambda peak, steps: {"peak": peak, "steps": steps},
    "warmup_cosine": lambda peak, steps: {"peak": peak, "steps": steps, "warmup": steps // 10},
    "one_cycle": lambda peak, steps: {"peak": peak, "steps": max(steps, 2), "base": peak / 25},
}


@dataclass(frozen=True)
class GradientNoise:
    """How mini-batches scatter the gradient; C is the covariance over rows (divisor n) of one row's gradient.

    At the start McCandlish, Kaplan, Amodei et al., "An empirical model of large-batch training", arXiv:1812.06162, 2018:
    ``simple = tr C / |g|^2`` (their Eq. 2.9) and ``curved = tr(H C) / g'H g`` (Eq. 2.8), in rows: batches much smaller
    are dominated by noise, much larger ones are wasted. Both grow without limit towards the optimum, where g = 0. What
    is well defined there is the floor: constant steps alpha of SGD settle at an excess loss ``alpha tr C / (4 B)`` (to
    first order in alpha; Mandt, Hoffman & Blei, JMLR 18(134), 2017). ``at_optimum = tr C / (2 L f*)``, in rows, is that
    floor's own scale: with alpha = 1/L a batch of B rows settles at ``f* (1 + at_optimum / (2 B))``. It is None where
    the minimum f* is 0 (the model fits every row, and there is no floor).
    """

    trace_at_start: float  #: tr C at theta = 0, target^2 feature^2
    trace_at_optimum: float  #: sigma^2 = tr C at the minimizer
    simple: float | None  #: rows
    curved: float | None  #: rows
    at_optimum: float | None  #: rows
    floor_per_alpha: float  #: excess loss per unit of alpha that SGD settles at with this batch and sampling


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


@dataclass(frozen=True)
class Advice:
    """The answer of :func:`advise`. ``to_dict`` is JSON, ``dataset`` holds the curves."""

    path: str
    target: str
    names: tuple[str, ...]  #: features in the order of theta, "(intercept)" last
    n: int
    d: int  #: with the intercept
    dropped: int
    standardized: bool
    rank: int
    spectrum: tuple[float, ...]  #: eigenvalues of H, descending; zeros where the rank falls short
    mu: float  #: the smallest eigenvalue that is not zero
    L: float
    condition_number: float
    condition_number_raw: float | None  #: None where the raw numbers are too large to work with
    condition_number_standardized: float | None
    standardizing_helps: bool  #: whether it lowers the condition number by a tenth or more
    minimum: float  #: of the loss
    start_loss: float
    coefficients: dict[str, float]  #: the least-squares fit (of least norm) in the units of the file
    noise: GradientNoise
    batch: int
    budget: int  #: steps
    trajectories: int
    sampling: str
    seed: int
    rules: tuple[RuleAdvice, ...]
    best_rule: str
    schedule_rule: str | None  #: the linear rule that the schedules were tried with
    schedules: tuple[ScheduleAdvice, ...]
    recommended_schedule: str | None
    notes: tuple[str, ...]
    problem: Rows
    design: Design  #: the columns worked with, and the way back from them

    @property
    def recommended(self) -> ScheduleAdvice | None:
        """The schedule of the lowest expected loss."""
        return next((item for item in self.schedules if item.name == self.recommended_schedule), None)

    @property
    def standardizing_gain(self) -> float | None:
        """How many times smaller standardizing makes the condition number."""
        raw, standard = self.condition_number_raw, self.condition_number_standardized
        return raw / standard if raw and standard else None

    def to_dict(self) -> dict[str, Any]:
        """Everything but the curves, as JSON values; numbers that are not finite become None."""
        return _plain(self) | _plain({"standardizing_gain": self.standardizing_gain, "recommended": self.recommended})

    def dataset(self) -> xr.Dataset:
        """The curves by step, netCDF-ready: of the rules at their best constant step, and of the schedules.

        ``predicted`` (rule, step) is NaN for adaptive rules; ``simulated``, ``standard_error`` (rule, step), ``quantile_loss``
        (rule, quantile, step); ``schedule_predicted``, ``schedule_simulated``, ``schedule_standard_error``, ``learning_rate``
        (schedule, step); ``eigenvalue`` (index). Coordinates ``alpha``, ``excess`` (rule); ``peak``, ``schedule_excess`` (schedule).
        """
        steps = self.rules[0].simulated.step.values
        data: dict[str, Any] = {"eigenvalue": ("index", np.array(self.spectrum), {"long_name": "eigenvalues of X'X/n"})}
        coords: dict[str, Any] = {"step": steps}
        for kind, prefix, items, size in (("rule", "", self.rules, "alpha"), ("schedule", "schedule_", self.schedules, "peak")):
            if not items:
                continue
            blank = np.full(len(steps), np.nan)
            runs = [item.simulated for item in items]
            data[f"{prefix}predicted"] = (kind, "step"), np.array([blank if i.predicted is None else i.predicted.loss_mean for i in items])
            data[f"{prefix}simulated"] = (kind, "step"), np.array([run.loss_mean for run in runs])
            data[f"{prefix}standard_error"] = (kind, "step"), np.array([run.loss_standard_error for run in runs])
            if kind == "rule":
                data["quantile_loss"] = (kind, "quantile", "step"), np.array([run.loss_quantile for run in runs])
                coords["quantile"] = runs[0]["quantile"].values
            else:
                data["learning_rate"] = (kind, "step"), np.array([run.learning_rate for run in runs])
            coords[kind] = [item.name for item in items]
            coords[size] = kind, [getattr(item, size) for item in items]
            coords[f"{prefix}excess"] = kind, [item.excess for item in items]
        attributes = {
            "table": self.path, "target": self.target, "n": self.n, "d": self.d, "standardized": int(self.standardized),
            "batch": self.batch, "sampling": self.sampling, "trajectories": self.trajectories,
            "seed": str(self.seed), "minimum": self.minimum,
            "condition_number": self.condition_number, "mu": self.mu, "L": self.L,
            "recommended_schedule": self.recommended_schedule or "", "schedule_rule": self.schedule_rule or "",
        }  # fmt: skip
        return xr.Dataset(data, coords, attributes)


def advise(
    path_or_table: str | os.PathLike[str] | Table,
    *,
    target: str | None = None,
    standardize: bool = False,
    drop_missing: bool = False,
    columns: Sequence[str] | None = None,
    batch: int = 16,
    budget: int | None = None,
    rules: Sequence[Rule | str] = (),
    trajectories: int | None = None,
    sampling: str = "subset",
    rng: Any = 0,
    progress: Progress | None = None,
) -> Advice:
    """Advise on step sizes, momentum and schedules for a linear least-squares model of the target on a user's table.

    The model has an intercept: a column of ones is added last. Runs start at theta = 0.

    Parameters
    ----------
    path_or_table
        A CSV file (see :func:`read_table`, which takes ``target``, ``drop_missing`` and ``columns``) or a :class:`Table`.
    standardize
        Give every feature mean 0 and variance 1 (divisor n), and center the target without changing its unit, so that
        the best intercept is 0, the start; ``Advice.design.to_raw`` maps coefficients back. Without it step sizes refer to the
        raw columns, in target units per squared feature unit, and change with their units.
    batch
        Rows per gradient; more than n means n.
    budget
        Steps of a run; 20 passes over the table by default, within 200 and 5000 steps.
    rules
        Names, ``"file.py:NAME"`` or records; all built-in rules by default.
    trajectories
        Simulated runs per curve: 256 by default, fewer on large tables.
    sampling
        ``"subset"`` (no row twice in a batch) or ``"replacement"``.

    Returns
    -------
    Advice
        Spectrum (rank decided as in ``numpy.linalg.matrix_rank``), gradient noise (:class:`GradientNoise`), and:

        - per linear rule the minimax tuning over [mu, L] (Polyak 1964; Lessard, Recht & Packard, SIAM J. Optim. 26(1),
          2016), found numerically from its derived transition matrix, and the constant step that minimizes the exactly
          predicted loss at the end of the budget under real mini-batches, with minimax or default hyper-parameters,
          whichever is predicted lower. The noiseless tuning often diverges with mini-batches: ``tuned_loss`` says;
        - per adaptive rule the step size found by simulation, over a grid of half-decades and then quarter-decades;
        - per schedule the peak that minimizes the predicted loss of the best linear rule; the lowest is recommended.

        Large tables, on which one exact prediction would take too long, are searched by simulation; ``found_by`` says.

    Raises
    ------
    InputError
        A file or value that cannot be used, in one line.

    >>> x = np.linspace(-1, 1, 8)
    >>> table = Table(x[:, None], 2 * x + x**2, ("x",), "y")
    >>> advice = advise(table, batch=4, budget=50, rules=["sgd"], trajectories=8)
    >>> advice.d, round(advice.condition_number, 3), advice.rules[0].found_by
    (2, 2.333, 'exact prediction')
    """
    if isinstance(path_or_table, Table):
        table = path_or_table
    else:
        table = read_table(path_or_table, target, drop_missing=drop_missing, columns=columns)
    if sampling not in ("subset", "replacement"):
        raise InputError(f"sampling = {sampling!r} is not one that is advised on: use 'subset' or 'replacement'")
    asked = [rule_registry.get(rule) for rule in (rules or rule_registry.names())]
    design = Design.of(table, standardize)
    X, y, (n, d) = design.X, design.y, design.X.shape
    eigenvalues, theta = design.factors()
    raw, standard = _condition(table, False), _condition(table, True)
    minimum, start = float(np.mean((X @ theta - y) ** 2) / 2), float(np.mean(y**2) / 2)
    L, mu = float(eigenvalues[0]), float(eigenvalues[-1])

    used_batch = min(whole(batch, "batch"), n)
    steps = min(max(20 * math.ceil(n / used_batch), 200), 5000) if budget is None else whole(budget, "budget")
    work = (steps * used_batch + 60 * n) * d
    runs = int(min(max(5e8 / work, 64), 256)) if trajectories is None else whole(trajectories, "trajectories")
    problem = problems.least_squares(X, y, sampling=sampling, label=os.path.basename(table.path))
    search = _Search(problem, used_batch, steps, runs, read_seed(rng), minimum, start, mu, L, float(np.abs(theta).max()))
    total = len(asked) + (len(FAMILIES) if any(map(is_linear, asked)) else 0)
    found: list[RuleAdvice] = []
    for rule in asked:
        if progress:
            progress(len(found), total, f"step size of {rule.name}")
        found.append(search.linear(rule) if is_linear(rule) else search.adaptive(rule))
    best_linear = min((item for item in found if item.linear), key=lambda item: item.excess, default=None)
    tried: list[ScheduleAdvice] = []
    for name in FAMILIES if best_linear else ():
        if progress:
            progress(len(found) + len(tried), total, f"peak of {name}")
        tried.append(search.schedule(name, best_linear, tried[0].excess if tried else None))  # type: ignore[arg-type]
    if progress:
        progress(total, total, "")
    advice = Advice(
        path=table.path, target=table.target_name, names=design.names, n=n, d=d, dropped=table.dropped, standardized=standardize,
        rank=len(eigenvalues), spectrum=(*map(float, eigenvalues), *[0.0] * (d - len(eigenvalues))), mu=mu, L=L, condition_number=L / mu,
        condition_number_raw=raw, condition_number_standardized=standard,
        standardizing_helps=raw is None or (standard is not None and standard < 0.9 * raw), minimum=minimum,
        start_loss=start, coefficients=design.to_raw(theta), noise=gradient_noise(X, y, theta, used_batch, sampling), batch=used_batch,
        budget=steps, trajectories=runs, sampling=sampling, seed=search.seed, rules=tuple(found),
        best_rule=min(found, key=lambda item: item.excess).name, schedule_rule=best_linear.name if best_linear else None,
        schedules=tuple(tried), recommended_schedule=min(tried, key=lambda item: item.excess).name if tried else None, notes=(),
        problem=problem, design=design,
    )  # fmt: skip
    return replace(advice, notes=tuple(_notes(advice, batch)))


def _condition(table: Table, standardize: bool) -> float | None:
    try:
        eigenvalues = Design.of(table, standardize).factors()[0]
    except InputError:
        return None
    return float(eigenvalues[0] / eigenvalues[-1])


def gradient_noise(X: np.ndarray, y: np.ndarray, best: np.ndarray, batch: int, sampling: str = "subset") -> GradientNoise:
    """The gradient noise of rows X (n, d) with targets y (n,), whose minimizer is best (d,); see :class:`GradientNoise`."""
    n = len(y)
    at_start, at_best = X * -y[:, None], X * (X @ best - y)[:, None]
    g = at_start.mean(0)
    trace, trace_best = (float(np.mean(np.sum((rows - rows.mean(0)) ** 2, 1))) for rows in (at_start, at_best))
    quadratic = float(np.mean(np.sum(at_start @ (X.T @ X / n) * at_start, 1)))
    slope = float(np.mean((X @ g) ** 2))
    minimum, start, L = float(np.mean((X @ best - y) ** 2) / 2), float(np.mean(y**2) / 2), float(np.linalg.norm(X, 2) ** 2 / n)
    factor = (n - batch) / max(n - 1, 1) if sampling == "subset" else 1.0
    square = float(g @ g)
    return GradientNoise(
        trace_at_start=trace, trace_at_optimum=trace_best, simple=trace / square if square else None,
        curved=(quadratic - slope) / slope if slope else None,
        at_optimum=trace_best / (2 * L * minimum) if minimum > 1e-20 * start else None, floor_per_alpha=trace_best * factor / (4 * batch),
    )  # fmt: skip


@dataclass
class _Search:
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
        options: dict[str, Any] = {
            "schedule": schedule,
            "steps": self.steps,
            "batch": self.batch,
            "record": [self.steps],
            "coordinates": False,
        }
        with np.errstate(over="ignore", invalid="ignore"):
            if exact:
                loss = predict(rule, self.problem, **options).loss_mean.item()
            else:  # common random numbers: step sizes are compared on the same batches
                loss = simulate(
                    rule, self.problem, **options, trajectories=min(self.runs, 128), rng=self.seed, common=True
                ).loss_mean.item()
        above = loss - self.minimum
        return max(above, 0.0) if math.isfinite(above) and above > -1e-9 * self.start else math.inf

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


def _notes(a: Advice, batch: int) -> list[str]:
    """What a reader must know, a sentence each."""
    out = []
    if a.rank < a.d:
        why = (
            f"{a.n} rows cannot fix {a.d} coefficients"
            if a.n < a.d
            else f"columns are collinear (rank {a.rank} of {a.d}, intercept included)"
        )
        out.append(f"{why}: the fit is not unique, mu is the smallest non-zero eigenvalue, and coefficients are those of least norm.")
    if not a.standardized:
        out.append("Step sizes are for the raw columns and change with their units.")
        if a.standardizing_helps:
            out.append(
                f"Standardizing lowers the condition number from {a.condition_number_raw:.3g} to {a.condition_number_standardized:.3g}."
            )
    if a.dropped:
        out.append(f"{a.dropped} rows with missing cells were dropped.")
    if batch > a.n:
        out.append(
            f"A batch of {batch} is more than the table: all {a.n} rows are used, {'without' if a.sampling == 'subset' else 'with'} noise."
        )
    worse = [item.name for item in a.rules if item.tuned_alpha is not None and item.tuned_loss is None]
    if worse:
        out.append(
            f"The noiseless minimax tuning of {', '.join(worse)} ends above the start with batches of {a.batch}: take the best step size."
        )
    searched = [item.name for item in a.rules if item.found_by == SIMULATED]
    if searched:
        out.append(f"Step sizes of {', '.join(searched)} were found by simulation, not by exact prediction.")
    return out


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        skip = ("problem", "design", "predicted", "simulated")
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.name not in skip}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (Rule, Schedule)):
        return value.label()
    return None if isinstance(value, float) and not math.isfinite(value) else value
