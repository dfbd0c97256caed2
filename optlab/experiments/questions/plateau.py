"""How long a rule needs from a plain where the gradient has almost vanished to the well, each at its fastest learning rate that settles.

The plain is :func:`optlab.problems.plateau`. Starts further out have smaller gradients; the exponent says how the time grows with
1/gradient: 1 for a rule whose step is proportional to the gradient, 0 for one whose step does not depend on its size. Without noise
theory follows the steady step of each rule over the plain: the integral of dx over the step that the gradient there gives.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
import sympy as sp
import xarray as xr
from pydantic import Field
from scipy.integrate import quad
from scipy.optimize import brentq

from optlab import problems, rules
from optlab.analysis import is_linear
from optlab.experiments.escape import fitted_slope, passage, passage_levels, steady_step
from optlab.experiments.experiment import Experiment, ExperimentSpec, Run, Table
from optlab.experiments.spec import USUAL_RULES, Count, Positive
from optlab.experiments.sweep import simulation_cell

CONFIDENCE = 0.99
OUT = 0.5  #: a run has left the plain, of height 1, at this loss
SETTLED = 0.05  #: and has settled where it ends at most here

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class PlateauSpec(ExperimentSpec):
    """Which rules, how far out, how much noise, which learning rates."""

    rules: list[str] = Field(default=[*USUAL_RULES, "adagrad", "lion"], min_length=1)
    starts: list[Annotated[float, Field(ge=2, le=8)]] = Field(default=[3.5, 4.0, 4.5, 5.0], min_length=1)  #: distances from the minimum
    noises: list[NonNegative] = Field(default=[0.0, 0.01], min_length=1)
    alphas: list[Positive] = Field(default=[0.01, 0.1, 1.0], min_length=1)
    steps: Annotated[int, Field(ge=10, le=10_000_000)] = 20_000
    trajectories: Count = 128  #: where there is noise; one run else


def count(spec: PlateauSpec) -> int:
    """All of it at once."""
    return len(spec.rules) * len(spec.noises) * len(spec.starts) * len(spec.alphas)


def measure(spec: PlateauSpec, run: Run) -> xr.Dataset:
    """Passage times by rule, noise, start and learning rate; the learning rate of each rule and noise; exponents."""
    settings = [
        (name, noise, start, alpha) for name in spec.rules for noise in spec.noises for start in spec.starts for alpha in spec.alphas
    ]
    cells = []
    for name, noise, start, alpha in settings:
        runs = spec.trajectories if noise else 1
        options: dict[str, Any] = {
            "steps": spec.steps, "record": [spec.steps], "reach": (OUT,), "trajectories": runs, "rng": spec.seed,
            "quantiles": passage_levels(runs, 1 - (1 - CONFIDENCE) / len(spec.starts)), "schedule": alpha,
        }  # fmt: skip
        about = f"{name} from {start:g} at {alpha:g}" + (f", noise {noise:g}" if noise else "")
        cells.append(simulation_cell(about, rules.get(name), problems.plateau(theta0=start, noise=noise), **options))
    results = run(cells)
    shape = (len(spec.rules), len(spec.noises), len(spec.starts), len(spec.alphas))
    found = [passage(result) for result in results]
    times = np.array([(p.median, p.low, p.high, p.share) for p in found]).reshape(*shape, 4)
    ends = np.array([float(result.loss_quantile.values[3, -1]) for result in results]).reshape(shape)
    settled = (ends <= SETTLED) & np.isfinite(times[..., 0])
    chosen = best_rates(times[..., 0], settled)
    over, by = ("rule", "noise", "start", "alpha"), {"units": "steps"}
    at = np.take_along_axis(times, np.maximum(chosen, 0)[:, :, None, None, None], 3)[:, :, :, 0]
    at[chosen < 0] = np.nan
    fits = [[exponent(gradients(spec), *at[i, j, :, :3].T) for j in range(shape[1])] for i in range(shape[0])]
    rates = np.where(chosen < 0, np.nan, np.array(spec.alphas)[chosen])
    theory = [[predicted(name, start, rates[i, j]) if noise == 0 else math.nan for start in spec.starts]
              for i, name in enumerate(spec.rules) for j, noise in enumerate(spec.noises)]  # fmt: skip
    interval = f"of its interval, {CONFIDENCE:.0%} for all starts together (order statistics)"
    outcome = np.where(settled, "settled", np.where(np.isfinite(times[..., 0]), "left, not settled", "not left"))
    variables: dict[str, Any] = {
        "escape_median": (over, times[..., 0], by | {"long_name": f"first step with a loss of at most {OUT}, median"}),
        "escape_low": (over, times[..., 1], by | {"long_name": f"lower end {interval}"}),
        "escape_high": (over, times[..., 2], by | {"long_name": f"upper end {interval}; infinite: beyond the budget"}),
        "escaped": (over, times[..., 3], {"long_name": "share of the runs that left within the budget", "units": "1"}),
        "loss_final": (over, ends, {"long_name": "median loss at the end"}),
        "outcome": (over, outcome, {"long_name": f"what became of most runs; settled: a final loss of at most {SETTLED}"}),
        "alpha_best": (over[:2], rates, {"long_name": "fastest learning rate that settles from every start; nan: none"}),
        "best_median": (over[:3], at[..., 0], by | {"long_name": "escape_median at alpha_best"}),
        "best_low": (over[:3], at[..., 1], by | {"long_name": "escape_low at alpha_best"}),
        "best_high": (over[:3], at[..., 2], by | {"long_name": "escape_high at alpha_best"}),
        "predicted": (over[:3], np.reshape(theory, shape[:3]), by | {"long_name": "integral of dx over the steady step, at alpha_best"}),
    }  # fmt: skip
    for k, (name, text) in enumerate(
        (("exponent", "d ln(steps) / d ln(1/gradient)"), ("exponent_low", "lower"), ("exponent_high", "upper"))
    ):
        variables[name] = (over[:2], [[fit[k] for fit in row] for row in fits], {"long_name": text + (" end of its interval" if k else "")})
    variables["gradient"] = ("start", gradients(spec), {"long_name": "gradient at the start"})
    variables["linear"] = ("rule", [int(is_linear(rules.get(name))) for name in spec.rules], {"long_name": "1: the rule is linear"})
    coords = {"rule": spec.rules, "noise": spec.noises, "start": spec.starts, "alpha": spec.alphas}
    return xr.Dataset(variables, coords)


def best_rates(times: np.ndarray, settled: np.ndarray) -> np.ndarray:
    """The index of the learning rate (rule, noise) of least mean ln(steps) over the starts among those that settle from each; -1: none."""
    slow = np.where(settled.all(2), np.log(np.maximum(np.where(settled, times, np.inf), 0.5)).mean(2), np.inf)
    return np.where(np.isfinite(slow).any(-1), slow.argmin(-1), -1)


def gradients(spec: PlateauSpec) -> np.ndarray:
    """The gradient at each start, from the problem's own expression."""
    problem = problems.plateau()
    slope = sp.lambdify(problem.coordinates, problem.expressions()["gradient0"], "numpy")
    return np.array([float(slope(start)) for start in spec.starts])


def exponent(slopes: np.ndarray, median: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[float, float, float]:
    """(exponent, low, high): ln(steps) against ln(1/gradient); a step is not divided, so half of one is added at both ends."""
    ends = np.log(np.maximum(np.stack([low - 0.5, high + 0.5]), 0.5))
    return fitted_slope(-np.log(slopes), np.log(np.maximum(median, 0.5)), *ends)


def predicted(name: str, start: float, alpha: float) -> float:
    """Steps from the start to where the loss is ``OUT``, if every step is that of the gradient there held steady; nan if not known."""
    step = steady_step(rules.get(name))
    if step is None or math.isnan(alpha):
        return math.nan
    problem = problems.plateau()
    loss, slope = (sp.lambdify(problem.coordinates, e, "numpy") for e in (problem.loss, problem.expressions()["gradient0"]))
    end = brentq(lambda x: loss(x) - OUT, 0.1, start)
    return float(quad(lambda x: 1 / (alpha * float(step(slope(x)))), end, start, limit=200)[0])


def tables(data: xr.Dataset) -> list[Table]:
    """A table per noise: a row per rule at its learning rate."""
    out = []
    for noise in data.noise.values:
        rows = []
        for rule in data.rule.values:
            row = data.sel(rule=rule, noise=noise)
            if np.isnan(row.alpha_best):
                rows.append([str(rule), "none settles", *["-"] * data.sizes["start"], "-"])
                continue
            fit = f"{float(row.exponent):.2f} [{float(row.exponent_low):.2f}, {float(row.exponent_high):.2f}]"
            rows.append(
                [str(rule), f"{float(row.alpha_best):g}", *(f"{m:.0f}" for m in row.best_median.values), fit if row.start.size > 1 else "-"]
            )
        starts = [f"from {start:g}" for start in data.start.values]
        title = f"median steps to leave, noise {noise:g}" if noise else "steps to leave, no noise"
        out.append(Table(title, ["rule", "learning rate", *starts, "exponent of 1/gradient"], rows))
    return out


def findings(data: xr.Dataset) -> list[str]:
    """Exponents, who is first, what noise does to it."""
    out = []
    for noise in data.noise.values:
        there = data.sel(noise=noise).isel(rule=np.flatnonzero(np.isfinite(data.alpha_best.sel(noise=noise))))
        when = f"With noise {noise:g}" if noise else "Without noise"
        if not there.sizes["rule"]:
            out.append(f"{when} no rule leaves the plain and settles at any of the learning rates.")
            continue
        if there.sizes["start"] > 1:
            kinds = []
            for kind, word in ((1, "linear"), (0, "adaptive")):
                powers = there.exponent.values[there.linear.values == kind]
                kinds += [f"{powers.min():.2f} to {powers.max():.2f} for {word} rules"] if len(powers) else []
            out.append(f"{when} the time grows with 1/gradient to the power " + ", ".join(kinds) + ".")
        far = there.isel(start=-1)
        order = np.argsort(far.best_median.values, kind="stable")
        first, last = far.isel(rule=int(order[0])), far.isel(rule=int(order[-1]))
        fastest = [far.best_median.values[far.linear.values == kind] for kind in (1, 0)]
        slowest = [
            far.best_median.values[far.linear.values == kind].max() if (far.linear.values == kind).any() else np.nan for kind in (1, 0)
        ]
        if all(len(times) for times in fastest):
            sooner = "every adaptive rule leaves before every linear one" if slowest[1] < fastest[0].min() else (
                "not every adaptive rule leaves before every linear one"
            )  # fmt: skip
            out.append(
                f"{when}, from {float(far.start):g}, {sooner}: {first.rule.item()} takes {float(first.best_median):.0f} steps, "
                f"{last.rule.item()} {float(last.best_median):.0f}."
            )
        never = [str(rule) for rule in data.rule.values if rule not in there.rule.values]
        if never:
            out.append(f"{when}, at none of the learning rates do these leave from every start and settle: {', '.join(never)}.")
    quiet, loud = data.noise.values.min(), data.noise.values.max()
    if quiet < loud:
        ratio = (data.best_median.sel(noise=loud) / data.best_median.sel(noise=quiet)).isel(start=-1)
        words = ", ".join(f"{r} {v:.2g}" for r, v in zip(ratio.rule.values, ratio.values, strict=True) if np.isfinite(v))
        if words:
            out.append(f"From {float(ratio.start):g} noise {loud:g} makes the time so many times that of noise {quiet:g}: {words}.")
    return out


EXPERIMENT = Experiment(
    "plateau", PlateauSpec, measure, count, tables, findings,
    {"full": PlateauSpec(
        rules=rules.names(), starts=[3.0, 3.5, 4.0, 4.5, 5.0], noises=[0.0, 1e-4, 1e-2, 1e-1],
        alphas=[0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0], steps=50_000, trajectories=256,
    )},
)  # fmt: skip
