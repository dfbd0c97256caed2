"""Full-batch training and its sharpness, the largest eigenvalue of the Hessian, against the value at which the rule stops being stable.

Gradient descent drives the sharpness up to 2/alpha and stays there (Cohen, Kaur, Li, Kolter & Talwalkar, ICLR 2021); for momentum the limit
is that of its own stability; an adaptive rule has one for the sharpness preconditioned by its scale (Cohen, Ghorbani, Krishnan et al.,
arXiv:2207.14484, 2022). Limits are derived of the rule, not typed. The network is a small perceptron of rectifiers in double precision
(:mod:`optlab.experiments.sharpness`). A sharpness whose difference quotient met a kink is not counted.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import numpy as np
import xarray as xr
from pydantic import Field
from scipy import stats

from optlab import rules
from optlab.experiments.experiment import Experiment, ExperimentSpec, Run, Table
from optlab.experiments.sharpness import edge_cell, stability_sharpness
from optlab.experiments.spec import Count, Positive

CONFIDENCE = 0.99
NEAR = 0.9  #: of the limit: the sharpness has reached it
TRUSTED = 0.01  #: largest relative error of a sharpness that is counted
LAST = 0.5  #: the plateau is what is seen in this share of the steps, at the end

Loss = Literal["squared_error", "softmax_cross_entropy"]
Rates = dict[str, Annotated[list[Positive], Field(min_length=1)]]


class EdgeSpec(ExperimentSpec):
    """Which rules at which rates under which losses; the network; how long, how often looked at."""

    rates: Rates = Field(default={"sgd": [0.1, 0.2, 0.4], "momentum": [0.1, 0.2, 0.4], "adam": [0.001, 0.003, 0.01]}, min_length=1)
    softmax_rates: Rates = Field(default={"sgd": [0.2, 0.4], "adam": [0.001]})  #: of the softmax loss
    hidden: tuple[Count, ...] = Field(default=(16, 16, 16), min_length=1)
    samples: Annotated[int, Field(ge=10, le=100_000)] = 100
    size: Annotated[int, Field(ge=4, le=64)] = 4  #: of the textures, pixels
    shrink: Positive = 0.6  #: weights start at so many times their usual size
    steps: Annotated[int, Field(ge=10, le=10_000_000)] = 2000
    every: Count = 50  #: steps between two looks
    seeds: Annotated[int, Field(ge=2, le=1000)] = 2


def settings(spec: EdgeSpec) -> list[tuple[str, str, float]]:
    """(loss, rule, rate) in order."""
    squared, softmax = get_args(Loss)
    pairs = ((squared, spec.rates), (softmax, spec.softmax_rates))
    return [(loss, rule, rate) for loss, asked in pairs for rule, rates in asked.items() for rate in rates]


def count(spec: EdgeSpec) -> int:
    """Every setting with every seed."""
    return len(settings(spec)) * spec.seeds


def measure(spec: EdgeSpec, run: Run) -> xr.Dataset:
    """Sharpness over its limit along training; when it first reached it, and where it stays."""
    options: dict[str, Any] = {
        "hidden": list(spec.hidden), "samples": spec.samples, "size": spec.size, "steps": spec.steps, "every": min(spec.every, spec.steps),
        "shrink": spec.shrink,
    }  # fmt: skip
    asked, seeds = settings(spec), [1000 * spec.seed + k for k in range(spec.seeds)]
    limit = np.array([stability_sharpness(rules.get(rule), rate) for _, rule, rate in asked])  # first: it refuses rules without one
    results = run([edge_cell(rule, rate, loss, seed=seed, **options) for loss, rule, rate in asked for seed in seeds])
    shape = (len(asked), len(seeds), -1)
    sharpness, error, losses = (np.array([one[name].values for one in results]).reshape(shape) for name in ("sharpness", "error", "loss"))
    diverged = np.array([int(one.diverged_at) for one in results]).reshape(shape[:2])
    with np.errstate(invalid="ignore"):
        trusted = error <= TRUSTED * np.abs(sharpness)
    ratio = np.where(trusted, sharpness, np.nan) / limit[:, None, None]
    record = results[0].record.values
    late = record > (1 - LAST) * spec.steps
    plateau = np.array([[summary(one[late]) for one in row] for row in ratio])
    reached = np.array([[first(record, one) for one in row] for row in ratio])
    peak = np.array([[float(np.nanmax(one)) if np.isfinite(one).any() else np.nan for one in row] for row in ratio])
    mean = np.array([student(row[:, 1]) for row in plateau])
    over, by = ("setting", "seed"), {"long_name": "sharpness over its limit"}
    variables: dict[str, Any] = {
        "ratio": ((*over, "record"), ratio, by),
        "loss": ((*over, "record"), losses, {"long_name": "mean loss"}),
        "limit": ("setting", limit, {"long_name": "sharpness (preconditioned, of an adaptive rule) above which the rule is not stable"}),
        "plateau_low": (over, plateau[..., 0], {"long_name": "sharpness over its limit in the last half of the steps: 10 % are below"}),
        "plateau": (over, plateau[..., 1], {"long_name": "median of the same"}),
        "plateau_high": (over, plateau[..., 2], {"long_name": "10 % of the same are above"}),
        "mean": ("setting", mean[:, 0], {"long_name": "mean of the median over seeds"}),
        "mean_low": ("setting", mean[:, 1], {"long_name": f"lower end of its interval, {CONFIDENCE:.0%} (Student, over seeds)"}),
        "mean_high": ("setting", mean[:, 2], {"long_name": "upper end of its interval"}),
        "reached": (over, reached, {"long_name": f"first look at {NEAR:g} of the limit or more; nan: none", "units": "steps"}),
        "peak": (over, peak, {"long_name": "largest sharpness seen, over its limit"}),
        "diverged_at": (over, diverged, {"long_name": "step whose loss was not finite; -1: none"}),
        "outcome": (over, outcomes(plateau[..., 1], reached, diverged), {"long_name": "what became of the sharpness"}),
        "rule": ("setting", [rule for _, rule, _ in asked]),
        "rate": ("setting", [rate for *_, rate in asked], {"long_name": "learning rate"}),
        "objective": ("setting", [loss for loss, *_ in asked], {"long_name": "loss that is minimized"}),
    }  # fmt: skip
    kept = int(trusted.sum()), int(np.isfinite(sharpness).sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        worst = float(np.nanmax(np.where(trusted, error / np.abs(sharpness), np.nan))) if trusted.any() else float("nan")
    names = [f"{rule} {rate:g}, {loss.split('_')[0]}" for loss, rule, rate in asked]
    facts = {"looks": kept[1], "trusted": kept[0], "worst_error": worst, "parameters": int(results[0].attrs["parameters"])}
    return xr.Dataset(variables, {"setting": names, "seed": seeds, "record": ("record", record, {"long_name": "step"})}, facts)


def summary(values: np.ndarray) -> list[float]:
    """The quantiles 0.1, 0.5, 0.9 of what is finite; nan of nothing."""
    kept = values[np.isfinite(values)]
    return [float(v) for v in np.quantile(kept, [0.1, 0.5, 0.9])] if len(kept) else [float("nan")] * 3


def first(record: np.ndarray, ratio: np.ndarray) -> float:
    """The first look at ``NEAR`` of the limit or more; nan if there is none."""
    with np.errstate(invalid="ignore"):
        at = np.flatnonzero(ratio >= NEAR)
    return float(record[at[0]]) if len(at) else float("nan")


def student(values: np.ndarray) -> tuple[float, float, float]:
    """(mean, low, high): Student's interval over seeds."""
    half = float(stats.t.isf((1 - CONFIDENCE) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def outcomes(plateau: np.ndarray, reached: np.ndarray, diverged: np.ndarray) -> np.ndarray:
    """In words: diverged; at the edge (the plateau's median is from 0.9 to 1/0.9 of the limit); above it; left (reached once); below."""
    with np.errstate(invalid="ignore"):
        inside = (plateau >= NEAR) & (plateau <= 1 / NEAR)
        rest = np.where(plateau > 1 / NEAR, "above", np.where(np.isfinite(reached), "left", "below"))
    return np.where(diverged >= 0, "diverged", np.where(inside, "at the edge", rest))


def tables(data: xr.Dataset) -> list[Table]:
    """A row per setting."""
    rows = []
    for k in range(data.sizes["setting"]):
        row = data.isel(setting=k)
        spread = f"{float(row.plateau_low.mean()):.3f} to {float(row.plateau_high.mean()):.3f}"
        steps = row.reached.values
        told = ", ".join(str(word) for word in dict.fromkeys(row.outcome.values.tolist()))
        at = f"{np.nanmean(steps):.0f}" if np.isfinite(steps).any() else "-"
        rows.append([
            str(row.objective.item()).split("_")[0], str(row.rule.item()), f"{float(row.rate):g}", f"{float(row.limit):.4g}",
            f"{float(row['mean']):.3f}", spread, f"{float(row.peak.mean()):.2f}", at, f"{float(row.loss[:, -1].mean()):.2g}", told,
        ])  # fmt: skip
    headers = ["loss", "rule", "rate", "limit", "sharpness/limit", "10 to 90 %", "peak", "reached at step", "final loss", "outcome"]
    return [Table("sharpness over its limit, last half of the steps", headers, rows, (0, 1, 9))]


def findings(data: xr.Dataset) -> list[str]:
    """By rule and loss: the plateau over the limit with its spread, and where the limit is not reached."""
    out = []
    groups = list(dict.fromkeys(zip(data.objective.values.tolist(), data.rule.values.tolist(), strict=True)))
    for loss, rule in groups:
        part = data.isel(setting=np.flatnonzero((data.objective.values == loss) & (data.rule.values == rule)))
        at = part.outcome.values == "at the edge"
        text = f"{rule}, {loss.replace('_', ' ')}: {int(at.sum())} of {at.size} runs end at the edge"
        if at.any():
            values = part.plateau.values[at]
            low, high = part.plateau_low.values[at].min(), part.plateau_high.values[at].max()
            text += f", with a sharpness of {values.mean():.3f} of the limit (runs {values.min():.3f} to {values.max():.3f}; "
            text += f"80 % of the looks of each within {low:.3f} to {high:.3f})"
        out.append(text + ".")
        for k in range(part.sizes["setting"]):
            row = part.isel(setting=k)
            others = [word for word in dict.fromkeys(row.outcome.values.tolist()) if word != "at the edge"]
            if others:
                where = f"{rule} at {float(row.rate):g}, {loss.replace('_', ' ')}: {', '.join(others)}"
                numbers = f"the median is {float(row['mean']):.2f} of the limit, the peak {float(row.peak.max()):.2f}"
                out.append(f"{where}; {numbers}, the loss ends at {float(row.loss[:, -1].mean()):.2g}.")
    a, b, worst = data.attrs["trusted"], data.attrs["looks"], data.attrs["worst_error"]
    out.append(f"{a} of {b} sharpnesses are counted (no kink within the differences); their largest relative error is {worst:.1g}.")
    return out


EXPERIMENT = Experiment(
    "edge", EdgeSpec, measure, count, tables, findings,
    {"full": EdgeSpec(
        rates={"sgd": [0.05, 0.1, 0.2, 0.4], "momentum": [0.1, 0.2, 0.4, 0.6], "nesterov": [0.05, 0.1, 0.2], "rmsprop": [0.001, 0.003],
               "adam": [0.0003, 0.001, 0.003, 0.01]},
        softmax_rates={"sgd": [0.1, 0.2, 0.4, 0.8], "momentum": [0.1, 0.2], "adam": [0.0003, 0.001, 0.003]},
        samples=200, steps=10_000, every=100, seeds=5,
    )},
)  # fmt: skip
