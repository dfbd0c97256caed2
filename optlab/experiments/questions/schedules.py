"""The final loss by the peak of each learning-rate schedule, all with the same number of steps of the same batch, on a noisy quadratic.

For linear rules the expected final loss is known exactly at every peak, and so is the best peak (:func:`optlab.ensemble.budget.best_peak`);
simulation stands beside it. For adaptive rules the best peak is that of the grid.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import numpy as np
import xarray as xr
from pydantic import Field
from scipy.special import ndtri

from optlab import problems, rules
from optlab.analysis import is_linear
from optlab.ensemble.agreement import compare
from optlab.ensemble.budget import Family, best_peak
from optlab.ensemble.predict import predict
from optlab.experiments.experiment import Experiment, ExperimentSpec, Run, Table
from optlab.experiments.spec import Count, Positive
from optlab.experiments.sweep import Cell, simulation_cell
from optlab.objectives import Separable

CONFIDENCE = 0.99

ScheduleName = Literal["constant", "inverse_sqrt", "inverse_time", "cosine", "warmup_cosine", "one_cycle"]


class SchedulesSpec(ExperimentSpec):
    """Which rules and schedules, which peaks, what budget on which quadratic."""

    rules: list[str] = Field(default=["sgd", "momentum", "adam"], min_length=1)
    schedules: list[ScheduleName] = Field(default=list(get_args(ScheduleName)), min_length=1)
    peaks: list[Positive] = Field(default=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 1.8, 3.0], min_length=2)
    condition_number: Annotated[float, Field(ge=1, le=1e9)] = 100.0
    dim: Annotated[int, Field(ge=2, le=2000)] = 10
    noise: Positive = 1.0
    batch: Count = 16
    steps: Annotated[int, Field(ge=2, le=10_000_000)] = 500
    trajectories: Annotated[int, Field(ge=64)] = 512


def problem_of(spec: SchedulesSpec) -> Separable:
    """The quadratic; its largest curvature is 1."""
    return problems.quadratic(condition_number=spec.condition_number, dim=spec.dim, noise=spec.noise)


def count(spec: SchedulesSpec) -> int:
    """Every peak of the grid, and the exact best peak of the linear rules."""
    linear = sum(is_linear(rules.get(name)) for name in spec.rules)
    return len(spec.schedules) * (len(spec.rules) * len(spec.peaks) + linear)


def measure(spec: SchedulesSpec, run: Run) -> xr.Dataset:
    """Final losses over rules, schedules and peaks, exact ones beside them; the best peaks."""
    settings = [(rule, schedule) for rule in spec.rules for schedule in spec.schedules]
    linear = [is_linear(rules.get(rule)) for rule, _ in settings]
    solved = [
        best_peak(rule, problem_of(spec), schedule=schedule, steps=spec.steps, batch=spec.batch) if exact else None
        for (rule, schedule), exact in zip(settings, linear, strict=True)
    ]
    cells = [cell(spec, rule, schedule, peak) for rule, schedule in settings for peak in spec.peaks]
    cells += [cell(spec, *setting, found.peak) for setting, found in zip(settings, solved, strict=True) if found]
    results = run(cells)
    grid, extra = results[: len(settings) * len(spec.peaks)], iter(results[len(settings) * len(spec.peaks) :])
    checks = len(cells)
    exact, zs, held = [], [], []
    for k, result in enumerate(grid):
        (rule, schedule), peak = settings[k // len(spec.peaks)], spec.peaks[k % len(spec.peaks)]
        expected = prediction(spec, rule, schedule, peak) if linear[k // len(spec.peaks)] else None
        agreement = compare(result, expected, comparisons=checks) if expected is not None else None
        exact.append(float(expected.loss_mean[-1]) if expected is not None else np.nan)
        zs.append(agreement.largest if agreement else np.nan)
        held.append("" if agreement is None else "agrees" if agreement.holds else "differs")
    shape = (len(spec.rules), len(spec.schedules), len(spec.peaks))
    mean, error = (np.array([float(result[name][-1]) for result in grid]) for name in ("loss_mean", "loss_standard_error"))
    start = start_loss(spec)
    outcome = np.where(~np.isfinite(mean) | (mean > 1e6 * start), "diverged", np.where(mean > start, "above the start", "lower"))
    best = []
    for k, found in enumerate(solved):
        values = mean[k * len(spec.peaks) : (k + 1) * len(spec.peaks)]
        if found is None:  # the grid's
            i = int(np.nanargmin(np.where(np.isfinite(values), values, np.inf)))
            at = k * len(spec.peaks) + i
            best.append((spec.peaks[i], np.nan, mean[at], error[at]))
        else:
            there = next(extra)
            best.append((found.peak, found.final_loss, float(there.loss_mean[-1]), float(there.loss_standard_error[-1])))
    table, z = np.array(best).reshape(*shape[:2], 4), float(ndtri((1 + CONFIDENCE) / 2))
    over = ("rule", "schedule", "peak")
    said = f"{CONFIDENCE:.0%} (normal, over runs)"
    width = np.array([tolerance(np.array(spec.peaks), values) for values in mean.reshape(-1, shape[2])]).reshape(shape[:2])
    variables: dict[str, Any] = {
        "loss": (over, mean.reshape(shape), {"long_name": "mean loss after the last step"}),
        "loss_low": (over, (mean - z * error).reshape(shape), {"long_name": f"lower end of its interval, {said}"}),
        "loss_high": (over, (mean + z * error).reshape(shape), {"long_name": f"upper end of its interval, {said}"}),
        "predicted": (over, np.reshape(exact, shape), {"long_name": "exact expected loss after the last step, of a linear rule"}),
        "z": (over, np.reshape(zs, shape), {"long_name": "|loss - predicted| in standard errors"}),
        "agreement": (over, np.reshape(held, shape), {"long_name": f"whether z is within its threshold, all {checks} together at 1e-9"}),
        "outcome": (over, outcome.reshape(shape), {"long_name": "what the mean loss came to; diverged: beyond 1e6 times the start's"}),
        "best_peak": (over[:2], table[..., 0], {"long_name": "peak of least expected final loss: exact if linear, else the grid's"}),
        "best_predicted": (over[:2], table[..., 1], {"long_name": "exact expected final loss there"}),
        "best_loss": (over[:2], table[..., 2], {"long_name": "mean final loss there"}),
        "best_low": (over[:2], table[..., 2] - z * table[..., 3], {"long_name": f"lower end of its interval, {said}"}),
        "best_high": (over[:2], table[..., 2] + z * table[..., 3], {"long_name": f"upper end of its interval, {said}"}),
        "tolerance": (over[:2], width, {"long_name": "decades of peaks whose loss is within twice the grid's least", "units": "decades"}),
    }  # fmt: skip
    coords = {"rule": spec.rules, "schedule": spec.schedules, "peak": ("peak", spec.peaks, {"long_name": "peak learning rate"})}
    return xr.Dataset(variables, coords, {"start": start})


def cell(spec: SchedulesSpec, rule: str, schedule: str, peak: float) -> Cell:
    """One rule under one schedule of one peak."""
    options: dict[str, Any] = {"steps": spec.steps, "batch": spec.batch, "trajectories": spec.trajectories, "record": [spec.steps]}
    made = Family(schedule, spec.steps).schedule(peak)
    about = f"{rule}, {schedule}, peak {peak:.3g}"
    return simulation_cell(
        about, rules.get(rule), problem_of(spec), schedule=made, rng=spec.seed, quantiles=(), coordinates=False, **options
    )


def prediction(spec: SchedulesSpec, rule: str, schedule: str, peak: float) -> xr.Dataset:
    """The exact expectation of that cell, for a linear rule."""
    made = Family(schedule, spec.steps).schedule(peak)
    with np.errstate(over="ignore", invalid="ignore"):
        return predict(rule, problem_of(spec), schedule=made, steps=spec.steps, batch=spec.batch, record=[spec.steps], coordinates=False)


def start_loss(spec: SchedulesSpec) -> float:
    """The loss at the start."""
    return float(predict("sgd", problem_of(spec), schedule=0.0, steps=0, record=[0], coordinates=False).loss_mean[0])


def tolerance(peaks: np.ndarray, losses: np.ndarray) -> float:
    """The decades of peaks, around the best of the grid, at which the loss is at most twice the best; log-log between the points.

    >>> round(tolerance(np.array([0.1, 1.0, 10.0]), np.array([4.0, 1.0, 4.0])), 9)
    1.0
    """
    x, y = np.log10(peaks), np.log(np.where(np.isfinite(losses), np.maximum(losses, 1e-300), 1e300))
    fine = np.linspace(x[0], x[-1], 20_001)
    inside = np.interp(fine, x, y) <= y.min() + np.log(2)
    middle = int(np.argmin(np.abs(fine - x[y.argmin()])))
    left, right = np.flatnonzero(~inside[:middle]), np.flatnonzero(~inside[middle:])
    low = fine[left[-1] + 1] if len(left) else fine[0]
    high = fine[middle + right[0] - 1] if len(right) else fine[-1]
    return float(round(high - low, 3))


def tables(data: xr.Dataset) -> list[Table]:
    """A row per rule and schedule, at its best peak."""
    rows = []
    for rule in data.rule.values:
        for schedule in data.schedule.values:
            row = data.sel(rule=rule, schedule=schedule)
            predicted = "-" if np.isnan(row.best_predicted) else f"{float(row.best_predicted):.4g}"
            interval = f"{float(row.best_loss):.4g} [{float(row.best_low):.4g}, {float(row.best_high):.4g}]"
            lost = int((row.outcome == "diverged").sum())
            rows.append(
                [str(rule), str(schedule), f"{float(row.best_peak):.3g}", predicted, interval, f"{float(row.tolerance):.2f}", str(lost)]
            )
    headers = ["rule", "schedule", "best peak", "predicted loss", "measured loss", "decades within 2x", "diverged"]
    return [Table("final loss at the best peak, equal budget", headers, rows, (0, 1))]


def findings(data: xr.Dataset) -> list[str]:
    """The best schedule by rule, what it gains, how far a peak may be off, whether prediction and measurement agree."""
    out = []
    for rule in data.rule.values:
        row = data.sel(rule=rule)
        known = bool(np.isfinite(row.best_predicted).all())  # exact losses are ranked exactly, measured ones by intervals
        values = row.best_predicted if known else row.best_loss
        k = int(np.argmin(values.values))
        least, name = float(values[k]), str(row.schedule.values[k])
        text = f"{rule} ends lowest under {name}, at {least:.3g} with a peak of {float(row.best_peak[k]):.3g}"
        text += " (exact)" if known else " (measured on the grid)"
        ties = [] if known else [str(s) for i, s in enumerate(row.schedule.values) if i != k and row.best_low[i] <= row.best_high[k]]
        text += f"; {', '.join(ties)} cannot be told from it (intervals overlap)" if ties else ""
        if "constant" in row.schedule.values and name != "constant":
            text += f"; a constant rate ends {float(values.sel(schedule='constant')) / least:.2f} times as high"
        out.append(text + ".")
    if data.sizes["schedule"] > 1:
        spread = (data.best_loss.max("schedule") / data.best_loss.min("schedule")).values
        rates = data.loss.where(data.outcome != "diverged")
        peaks = (rates.max("peak") / rates.min("peak")).max("schedule").values
        words = ", ".join(f"{rule} {a:.2g} and {b:.2g}" for rule, a, b in zip(data.rule.values, spread, peaks, strict=True))
        out.append(f"The worst over the best final loss, by schedule (each at its best peak) and by peak (under one schedule): {words}.")
    told = data.agreement.values[data.agreement.values != ""]
    if len(told):
        agree = int((told == "agrees").sum())
        out.append(
            f"Simulation and exact prediction agree at {agree} of {len(told)} peaks; the largest |z| is {float(np.nanmax(data.z)):.2g}."
        )
    return out


EXPERIMENT = Experiment(
    "schedules", SchedulesSpec, measure, count, tables, findings,
    {"full": SchedulesSpec(
        rules=rules.names(), peaks=[float(f"{x:.3g}") for x in np.geomspace(1e-4, 4, 24)], steps=2000, dim=50, trajectories=2000,
    )},
)  # fmt: skip
