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

from optlab import problems
from optlab import rules as rule_registry
from optlab.analysis import is_linear
from optlab.data.tables import Design, Table, read_table
from optlab.ensemble.philox import read_seed
from optlab.errors import InputError
from optlab.experiments.gradient_noise import GradientNoise, gradient_noise
from optlab.experiments.spec import USUAL_RULES
from optlab.experiments.step_search import FAMILIES, SIMULATED, RuleAdvice, ScheduleAdvice, StepSearch
from optlab.expressions import Rule, Schedule
from optlab.objectives import Rows, whole
from optlab.quantities import labeled

Progress = Callable[[int, int, str], None]

BEYOND_DOUBLE = 1e15  #: a condition number beyond which rounding hides the flattest directions from any step size


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
        return labeled(xr.Dataset(data, coords, attributes))


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
        Names, ``"file.py:NAME"`` or records; sgd, momentum, nesterov, ema_momentum, rmsprop, adam and adamw by default.
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
    asked = [rule_registry.get(rule) for rule in (rules or USUAL_RULES)]
    design = Design.of(table, standardize)
    X, y, (n, d) = design.X, design.y, design.X.shape
    eigenvalues, theta = design.factors()
    raw, standard = _condition(table, False), _condition(table, True)
    minimum, start = float(np.mean((X @ theta - y) ** 2) / 2), float(np.mean(y**2) / 2)
    L, mu = float(eigenvalues[0]), float(eigenvalues[-1])
    if L / mu > BEYOND_DOUBLE:
        better = not standardize and standard is not None and standard <= BEYOND_DOUBLE
        mend = f"standardize (--standardize) lowers it to {standard:.3g}" if better else "leave out columns that others determine"
        raise InputError(
            f"{table.path}: condition number {L / mu:.2g}, beyond what double precision resolves ({BEYOND_DOUBLE:.0e}); {mend}"
        )

    used_batch = min(whole(batch, "batch"), n)
    steps = min(max(20 * math.ceil(n / used_batch), 200), 5000) if budget is None else whole(budget, "budget")
    work = (steps * used_batch + 60 * n) * d
    runs = int(min(max(5e8 / work, 64), 256)) if trajectories is None else whole(trajectories, "trajectories")
    problem = problems.least_squares(X, y, sampling=sampling, label=os.path.basename(table.path))
    search = StepSearch(problem, used_batch, steps, runs, read_seed(rng), minimum, start, mu, L, float(np.abs(theta).max()))
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
    if a.L / a.mu > 1e12:
        out.append("At this condition number the flattest directions do not move in double precision: rescale the columns (standardize).")
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
