"""Do steps a/sqrt(t + 1) give 1/sqrt(T), and steps c/(t + t0) give 1/T, on convex and strongly convex problems?

SGD with one sample a step on a quadratic with additive noise and on tables: logistic and Huber's regression (convex), least squares. The
slope of log loss against log T is fitted to the last decade of steps; its interval comes from independent replicates (Student's t,
99 %). Bounds (Nemirovski et al. 2009; Bottou et al. 2018) stand beside where they apply, with how much of them is used.
"""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field
from scipy.special import stdtrit

from optlab import bounds, rules, schedules
from optlab.errors import InputError
from optlab.experiments.convex import KINDS, Constants, constants, drawn
from optlab.experiments.experiment import Experiment, ExperimentSpec, Run, Table
from optlab.experiments.regimes import CONFIDENCE, TOLERANCE, fit_slope
from optlab.experiments.spec import Positive
from optlab.experiments.sweep import simulation_cell
from optlab.expressions import Schedule
from optlab.objectives import Problem

LIMITS = {"inverse_sqrt": -0.5, "inverse_time": -1.0}
BOUNDS = {"inverse_sqrt": "convex_sgd_last_iterate", "inverse_time": "strongly_convex_sgd"}
METHOD = f"least squares on the last decade of steps; {CONFIDENCE:.0%} interval by Student's t over independent replicates"


class ConvergenceSpec(ExperimentSpec):
    """Which problems and schedules; how long, how often."""

    problems: list[Literal["quadratic", "least_squares", "logistic", "huber"]] = Field(
        default=["quadratic", "logistic", "huber"], min_length=1
    )
    schedules: list[Literal["inverse_sqrt", "inverse_time"]] = Field(default=["inverse_sqrt", "inverse_time"], min_length=1)
    rows: Annotated[int, Field(ge=10, le=10**6)] = 200
    dim: Annotated[int, Field(ge=2, le=200)] = 3
    condition_number: Annotated[float, Field(ge=1, le=1e6)] = 10.0  #: of the quadratic
    noise: Positive = 1.0  #: of the quadratic
    steps: Annotated[int, Field(ge=100)] = 20_000
    trajectories: Annotated[int, Field(ge=64)] = 1024
    replicates: Annotated[int, Field(ge=3, le=1000)] = 8


def schedule_of(name: str, about: Constants) -> Schedule:
    """The schedule that the theorem of its bound allows, with the first steps at most 1/L."""
    if name == "inverse_sqrt":
        return schedules.get(name, a=1 / about.L)
    return schedules.get(name, c=2 / about.mu, t0=2 * about.L / about.mu)


def bound_curve(name: str, kind: str, schedule: Schedule, about: Constants, steps: np.ndarray) -> np.ndarray:
    """The bound at these steps; nan where it does not apply."""
    bound = bounds.get(BOUNDS[name])
    if about.trace is None or (bound.functions == "strongly_convex" and KINDS[kind] != "strongly convex"):
        return np.full(len(steps), np.nan)
    values = {str(key): float(value) for key, value in schedule.values.items()}
    values |= {"mu": about.mu, "L": about.L, "gap": about.gap, "distance2": about.distance2, "trace": about.trace}
    try:
        return np.array([bound.value(values | {"T": int(step)}) if step else np.nan for step in steps])
    except InputError:  # rounding at the end of a range: a = 1/L
        return np.full(len(steps), np.nan)


def measure(spec: ConvergenceSpec, run: Run) -> xr.Dataset:
    """Mean loss above the minimum by problem, schedule and step, with slopes, bounds and slack."""
    record = np.unique(np.concatenate([[0], np.rint(np.geomspace(1, spec.steps, 121)).astype(int)])).tolist()
    each, sgd = max(spec.trajectories // spec.replicates, 1), rules.get("sgd")
    made = {
        kind: drawn(kind, spec.rows, spec.dim, spec.seed, condition_number=spec.condition_number, noise=spec.noise)
        for kind in spec.problems
    }
    about = {kind: constants(problem) for kind, problem in made.items()}
    pairs = list(itertools.product(spec.problems, spec.schedules))
    options: dict[str, Any] = {"steps": spec.steps, "batch": 1, "record": record, "coordinates": False}
    cells, exact_cells = [], {}
    for kind, name in pairs:
        setting = options | {"schedule": schedule_of(name, about[kind])}
        cells += [
            simulation_cell(f"{kind}, {name}: replicate {k + 1}", sgd, made[kind], trajectories=each, quantiles=(),
                            rng=spec.seed * 1_000_003 + k, **setting)
            for k in range(spec.replicates)
        ]  # fmt: skip
        if predictable(made[kind]):
            exact_cells[kind, name] = simulation_cell(f"{kind}, {name}: exact", sgd, made[kind], exact=True, **setting)
    found = run([*cells, *exact_cells.values()])
    exact = dict(zip(exact_cells, found[len(cells) :], strict=True))
    parts = np.array([part.loss_mean.values for part in found[: len(cells)]]).reshape(len(pairs), spec.replicates, -1)
    steps = np.array(record)
    rows = [
        _row(kind, name, curves - about[kind].minimum, steps, about[kind], exact.get((kind, name)))
        for (kind, name), curves in zip(pairs, parts, strict=True)
    ]
    shape = len(spec.problems), len(spec.schedules)
    texts = {
        "excess": "mean loss above the minimum", "error": "standard error of it, over replicates", "exact": "exact expectation of it",
        "bound": "bound on it", "slope": "slope of log loss against log T over the last decade", "slope_low": "lower end of its interval",
        "slope_high": "upper end of it", "exact_slope": "the same fit to the exact expectation",
        "used": "measured loss over the bound at the last step", "limit": "slope that theory gives as a limit",
    }  # fmt: skip
    data: dict[str, Any] = {}
    for key, text in texts.items():
        values = np.array([row[key] for row in rows])
        data[key] = (
            ["problem", "schedule", *(["step"] if values.ndim > 1 else [])],
            values.reshape(*shape, *values.shape[1:]),
            {"long_name": text},
        )
    data["kind"] = "problem", [KINDS[kind] for kind in spec.problems]
    data["minimum"] = "problem", [about[kind].minimum for kind in spec.problems], {"long_name": "least loss, by Newton's method"}
    coords = {"problem": spec.problems, "schedule": spec.schedules, "step": ("step", steps, {"long_name": "steps taken, T"})}
    return xr.Dataset(data, coords, {"slope_method": METHOD, "tolerance": TOLERANCE})


def predictable(problem: Problem) -> bool:
    """Whether expected losses are exact here."""
    return bool(getattr(problem, "is_quadratic", False))


def _row(kind: str, name: str, curves: np.ndarray, steps: np.ndarray, about: Constants, exact: xr.Dataset | None) -> dict[str, Any]:
    window = int(steps[-1]) // 10, int(steps[-1])
    mean, n = curves.mean(0), len(curves)
    positive = bool((curves[:, steps >= window[0]] > 0).all())
    slopes = np.array([fit_slope(steps, curve, window) for curve in curves]) if positive else np.full(n, np.nan)
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2) * slopes.std(ddof=1) / math.sqrt(n))
    slope = float(slopes.mean())
    schedule = schedule_of(name, about)
    bound = bound_curve(name, kind, schedule, about, steps)
    expected = np.full(len(steps), np.nan) if exact is None else exact.loss_mean.values - about.minimum
    return {
        "excess": mean, "error": curves.std(0, ddof=1) / math.sqrt(n), "exact": expected, "bound": bound, "slope": slope,
        "slope_low": slope - half, "slope_high": slope + half, "limit": LIMITS[name], "used": mean[-1] / bound[-1],
        "exact_slope": math.nan if exact is None else fit_slope(steps, expected, window),
    }  # fmt: skip


def tables(data: xr.Dataset) -> list[Table]:
    """A row per problem and schedule."""
    rows = []
    for problem, schedule in itertools.product(data.problem.values, data.schedule.values):
        row = data.sel(problem=problem, schedule=schedule)
        interval = f"{float(row.slope):.3f} [{float(row.slope_low):.3f}, {float(row.slope_high):.3f}]"
        exact = f"{float(row.exact_slope):.3f}" if np.isfinite(row.exact_slope) else "-"
        bound = [f"{float(row.bound[-1]):.3g}", f"{float(row.used):.3g}"] if np.isfinite(row.used) else ["does not apply", "-"]
        last = f"{float(row.excess[-1]):.3g}"
        rows.append([str(problem), str(row.kind.item()), str(schedule), f"{float(row.limit):g}", interval, exact, last, *bound])
    heads = ["problem", "", "schedule", "limit", "slope, 99 % interval", "exact slope", "loss at T", "bound", "measured / bound"]
    return [Table("slopes of log loss against log T", heads, rows, (0, 1, 2))]


def findings(data: xr.Dataset) -> list[str]:
    """Which slopes hold the limit, which do not; what the bounds give away."""
    out = []
    for schedule in data.schedule.values:
        part = data.sel(schedule=schedule)
        limit, slack = float(part.limit[0]), data.attrs["tolerance"]
        held: list[str] = []
        missed: list[str] = []
        for problem in data.problem.values:
            row = part.sel(problem=problem)
            inside = float(row.slope_low) - slack <= limit <= float(row.slope_high) + slack
            (held if inside else missed).append(f"{problem} {float(row.slope):.3f}")
        if held:
            out.append(f"Under {schedule} the slope is {limit:g} within its interval (and {slack:g}) on {', '.join(held)}.")
        if missed:
            out.append(f"Under {schedule} the last decade's slope is not yet {limit:g} on {', '.join(missed)}.")
        local = [str(p) for p in data.problem.values if str(part.kind.sel(problem=p).item()) == "convex"]
        if limit == -1 and local and not missed:
            out.append(f"No theorem on convex functions promises 1/T on {', '.join(local)}: the curvature at the minimizer does it.")
    used = data.used.values[np.isfinite(data.used.values)]
    if len(used):
        out.append(f"Where a bound applies, the measured loss is {used.min():.2g} to {used.max():.2g} of it at the last step.")
    return out


FULL = ConvergenceSpec(problems=["quadratic", "least_squares", "logistic", "huber"], steps=200_000, trajectories=4096, replicates=16)


def count(spec: ConvergenceSpec) -> int:
    """How many cells it runs."""
    exact = sum(kind in ("quadratic", "least_squares") for kind in spec.problems)
    return len(spec.schedules) * (len(spec.problems) * spec.replicates + exact)


EXPERIMENT = Experiment("convergence", ConvergenceSpec, measure, count, tables, findings, {"full": FULL})
