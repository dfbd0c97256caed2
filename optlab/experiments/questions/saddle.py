"""How long a rule stays at a strict saddle, by the size of the gradient noise; and what happens on the stable manifold without any.

The saddle is :func:`optlab.problems.saddle`: curvature 1 along s, -gamma along u. A run has left once its loss is that of |u| =
``distance``. Near the saddle a linear rule multiplies u by its growth rho per step, so that the time is ln(distance/noise)/ln(rho) + a
constant: every factor of e less noise costs 1/ln(rho) steps. Ge, Huang, Jin & Yuan, COLT 2015; Lee, Simchowitz, Jordan & Recht, COLT 2016
(the stable manifold).
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import xarray as xr
from pydantic import Field

from optlab import problems, rules
from optlab.analysis import is_linear
from optlab.experiments.escape import fitted_slope, growth, linearized_rule, passage, passage_levels, predicted_passage
from optlab.experiments.experiment import Experiment, ExperimentSpec, Run, Table
from optlab.experiments.spec import USUAL_RULES, Count, Positive
from optlab.experiments.sweep import Cell, simulation_cell
from optlab.objectives import Expression
from optlab.problems.saddle import COSINE, SINE, linearized

CONFIDENCE = 0.99
QUIET = 1 / 30  #: noises up to this share of gamma * distance are in the regime of the logarithm


class SaddleSpec(ExperimentSpec):
    """Which rules, which noises, how fast, how far."""

    rules: list[str] = Field(default=[*USUAL_RULES, "adagrad", "lion"], min_length=1)
    noises: list[Positive] = Field(default=[1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0], min_length=2)
    gamma: Positive = 1.0
    distance: Annotated[float, Field(gt=0, le=3)] = 1.0  #: of 10, where the minima are
    alpha: Positive = 0.1  #: learning rate of the linear rules
    alpha_adaptive: Positive = 0.01  #: of the others, whose steps are of about this size
    steps: Annotated[int, Field(ge=10, le=1_000_000)] = 1500
    trajectories: Count = 1000
    turned: list[str] = Field(default=["sgd", "momentum", "adam"])  #: those of the rules that also start on a turned manifold


def rate(spec: SaddleSpec, name: str) -> float:
    """The learning rate of a rule."""
    return spec.alpha if is_linear(rules.get(name)) else spec.alpha_adaptive


def level(spec: SaddleSpec) -> float:
    """The loss at u = distance on the unstable axis, from the problem's own expression."""
    x, y = (problem := problems.saddle(gamma=spec.gamma)).coordinates
    return float(problem.loss.subs({x: 0, y: spec.distance}))


def count(spec: SaddleSpec) -> int:
    """Every noise, and a start on the stable manifold without any, for every rule; and those on the turned saddle."""
    return len(spec.rules) * (len(spec.noises) + 1) + sum(name in spec.turned for name in spec.rules)


def measure(spec: SaddleSpec, run: Run) -> xr.Dataset:
    """Passage times by rule and noise, those predicted, the slopes of the logarithm, and the runs that start on the stable manifold."""
    levels = passage_levels(spec.trajectories, 1 - (1 - CONFIDENCE) / len(spec.noises))
    cells = []
    for name in spec.rules:
        rule, alpha = rules.get(name), rate(spec, name)
        for noise in spec.noises:
            options: dict[str, Any] = {
                "steps": spec.steps,
                "record": [spec.steps],
                "reach": (level(spec),),
                "quantiles": levels,
                "rng": spec.seed,
            }
            problem = problems.saddle(gamma=spec.gamma, noise=noise)
            cells.append(
                simulation_cell(f"{name}, noise {noise:g}", rule, problem, schedule=alpha, trajectories=spec.trajectories, **options)
            )
        cells.append(on_manifold(spec, name, False))
    asked = [name for name in spec.rules if name in spec.turned]
    cells += [on_manifold(spec, name, True) for name in asked]
    results, each = run(cells), len(spec.noises) + 1
    turned = {name: across(result.theta.values[0]) for name, result in zip(asked, results[len(spec.rules) * each :], strict=True)}
    escapes, exact, kinds, slopes, still = [], [], [], [], []
    for i, name in enumerate(spec.rules):
        *noisy, straight = results[i * each : (i + 1) * each]
        escapes.append([passage(result) for result in noisy])
        exact.append([predict_escape(spec, name, noise) for noise in spec.noises])
        kinds.append("exact" if is_linear(rules.get(name)) else "scale held" if np.isfinite(exact[-1]).any() else "none")
        slopes.append(slope(spec, name, escapes[-1], exact[-1]))
        still.append((float(np.abs(straight.theta[0, :, 1]).max()), float(np.abs(straight.theta[0, -1, 0]))))
    times = np.array([[(p.median, p.low, p.high, p.early, p.late, p.share) for p in row] for row in escapes])
    over, by = ("rule", "noise"), {"units": "steps"}
    names = ("escape_median", "escape_low", "escape_high", "escape_early", "escape_late", "escaped")
    words = (
        "median first passage", f"lower end of its interval, {CONFIDENCE:.0%} for all noises of a rule together (order statistics)",
        "upper end of it; infinite: beyond the budget", "5 % of the runs have left", "95 % of the runs have left",
    )  # fmt: skip
    variables: dict[str, tuple] = {
        n: (over, times[..., k], by | {"long_name": w}) for k, (n, w) in enumerate(zip(names, words, strict=False))
    }
    variables["escaped"] = (over, times[..., 5], {"long_name": "share of the runs that left within the budget", "units": "1"})
    variables["outcome"] = (over, [[p.outcome for p in row] for row in escapes], {"long_name": "runs that left within the budget"})
    variables["predicted_median"] = (over, np.array(exact), by | {"long_name": "step at which half of the linearized runs are out"})
    variables["theory"] = ("rule", kinds, {"long_name": "what the prediction is: exact moments, or those with the scale held at the noise"})
    about = (
        "steps per factor e less noise, fitted",
        "lower end of its interval",
        "upper end of its interval",
        "the same fit to the prediction",
    )
    for k, (short, text) in enumerate(zip(("slope", "slope_low", "slope_high", "slope_predicted"), about, strict=True)):
        variables[short] = ("rule", [row[k] for row in slopes], by | {"long_name": text})
    variables["slope_law"] = ("rule", [row[4] for row in slopes], by | {"long_name": "1/ln(growth) of the linearized dynamics"})
    variables["manifold_distance"] = ("rule", [row[0] for row in still], {"long_name": "largest |u| from (1, 0) without noise"})
    variables["manifold_left"] = ("rule", [row[1] for row in still], {"long_name": "|s| at the end of that run"})
    unasked = np.full(spec.steps + 1, np.nan)
    paths = np.stack([turned.get(name, unasked) for name in spec.rules])
    left = [left_at(path, spec.distance) for path in paths]
    variables["turned_distance"] = (("rule", "step"), paths, {"long_name": "|u| from the manifold of the turned saddle, without noise"})
    variables["turned_escape"] = ("rule", left, by | {"long_name": "first step of that run with |u| >= distance; nan: none"})
    said = ["not asked" if n not in turned else "stayed" if np.isnan(at) else "left" for n, at in zip(spec.rules, left, strict=True)]
    variables["turned_outcome"] = ("rule", said, {"long_name": "what became of that run"})
    variables["alpha"] = ("rule", [rate(spec, name) for name in spec.rules], {"long_name": "learning rate"})
    variables["linear"] = ("rule", [int(is_linear(rules.get(name))) for name in spec.rules], {"long_name": "1: the rule is linear"})
    noises = ("noise", spec.noises, {"long_name": "deviation of the gradient noise"})
    return xr.Dataset(variables, {"rule": spec.rules, "noise": noises, "step": np.arange(spec.steps + 1)})


def on_manifold(spec: SaddleSpec, name: str, turned: bool) -> Cell:
    """The cell of a run without noise from the point s = 1 of the stable manifold, of the saddle along the axes or of the turned one."""
    problem = problems.saddle(gamma=spec.gamma, rotated=turned, theta0=(COSINE, SINE) if turned else (1.0, 0.0))
    options: dict[str, Any] = {"steps": spec.steps, "record": list(range(spec.steps + 1)), "keep": 1, "quantiles": ()}
    where = "turned" if turned else "stable"
    return simulation_cell(f"{name} on the {where} manifold", rules.get(name), problem, schedule=rate(spec, name), **options)


def predict_escape(spec: SaddleSpec, name: str, noise: float) -> float:
    """The predicted median. With a scale held at the noise it is a prediction only where noise is the larger part all the way."""
    rule = linearized_rule(rules.get(name), noise)
    if rule is None or not (is_linear(rules.get(name)) or noise >= spec.gamma * spec.distance):
        return float("nan")
    problem: Expression = problems.saddle(gamma=spec.gamma, noise=noise)
    return predicted_passage(rule, linearized(problem), alpha=rate(spec, name), distance=spec.distance, steps=spec.steps)


def slope(spec: SaddleSpec, name: str, found: list, exact: list[float]) -> tuple[float, ...]:
    """(slope, low, high) of the median against ln(1/noise) where the noise is small; of the prediction; 1/ln(growth).

    Half of the runs are out somewhere within the step that ends at the median, so the interval of each median begins a step earlier.
    """
    quiet = np.array([noise <= QUIET * spec.gamma * spec.distance for noise in spec.noises])
    x, rows = -np.log(spec.noises)[quiet], np.array([(p.median, p.low - 1, p.high) for p in found])[quiet]
    predicted = np.array(exact)[quiet]
    law = 1 / np.log(growth(rules.get(name), rate(spec, name), spec.gamma)) if is_linear(rules.get(name)) else float("nan")
    return *fitted_slope(x, *rows.T), fitted_slope(x, predicted, predicted, predicted)[0], law


def across(path: np.ndarray) -> np.ndarray:
    """|u| along a path (steps + 1, 2) over the turned saddle."""
    return np.abs(COSINE * path[:, 1] - SINE * path[:, 0])


def left_at(away: np.ndarray, distance: float) -> float:
    """The first step at which |u| >= distance; nan if it never is."""
    out = np.flatnonzero(away >= distance)
    return float(out[0]) if len(out) else float("nan")


def tables(data: xr.Dataset) -> list[Table]:
    """The times, and the stable manifold."""
    times, manifold = [], []
    for rule in data.rule.values:
        row = data.sel(rule=rule)
        fit = "-" if np.isnan(row.slope) else f"{float(row.slope):.1f} [{float(row.slope_low):.1f}, {float(row.slope_high):.1f}]"
        law = "-" if np.isnan(row.slope_law) else f"{float(row.slope_law):.1f}"
        times.append([str(rule), f"{float(row.alpha):g}", *(steps_text(m) for m in row.escape_median.values), fit, law])
        manifold.append([
            str(rule), f"{float(row.manifold_distance):g}", f"{float(row.manifold_left):.2g}", turned_text(row),
        ])  # fmt: skip
    noises = [f"{noise:g}" for noise in data.noise.values]
    return [
        Table("median steps to leave, by noise", ["rule", "learning rate", *noises, "steps per factor e", "1/ln growth"], times),
        Table("on the stable manifold, no noise", ["rule", "largest |u|", "|s| left", "turned: leaves at"], manifold),
    ]


def steps_text(value: float) -> str:
    """A number of steps, or that it was not reached."""
    return "not reached" if not np.isfinite(value) else f"{value:.0f}"


def turned_text(row: xr.Dataset) -> str:
    """When the run on the turned saddle left, or what became of it."""
    return f"step {int(row.turned_escape)}" if row.turned_outcome.item() == "left" else str(row.turned_outcome.item())


def findings(data: xr.Dataset) -> list[str]:
    """The law of the logarithm, what noise does to each kind of rule, the manifold, rounding."""
    out: list[str] = []
    linear, adaptive = data.isel(rule=np.flatnonzero(data.linear)), data.isel(rule=np.flatnonzero(data.linear == 0))
    fitted = linear.isel(rule=np.flatnonzero(np.isfinite(linear.slope)))
    if fitted.sizes["rule"]:
        holds = (fitted.slope_low <= fitted.slope_law) & (fitted.slope_law <= fitted.slope_high)
        costs = ", ".join(f"{n} {s * np.log(10):.0f}" for n, s in zip(fitted.rule.values, fitted.slope.values, strict=True))
        out.append(f"Ten times less noise costs so many steps more: {costs}.")
        out.append(
            f"The interval of the fitted slope holds 1/ln(growth) of the linearized dynamics for {int(holds.sum())} of "
            f"{fitted.sizes['rule']} linear rules"
            + ("." if bool(holds.all()) else f"; not for {', '.join(fitted.rule.values[~holds.values])}.")
        )
    quiet, loud = (data.escape_median.sel(noise=noise) for noise in (data.noise.values.min(), data.noise.values.max()))
    for there, word in ((linear, "linear"), (adaptive, "adaptive")):
        ratios = {str(rule): later(float(quiet.sel(rule=rule)), float(loud.sel(rule=rule))) for rule in there.rule.values}
        known = {rule: ratio for rule, ratio in ratios.items() if not np.isnan(ratio)}
        if known:
            sooner = sum(ratio < 1 for ratio in known.values())
            words = ", ".join(
                f"{rule} {ratio:.2g}" if np.isfinite(ratio) else f"{rule} not within the steps" for rule, ratio in known.items()
            )
            out.append(
                f"From noise {data.noise.values.min():g} to {data.noise.values.max():g} the time falls for {sooner} of {len(known)} {word} "
                f"rules; it is so many times as long: {words}."
            )
    stays = data.manifold_distance == 0
    out.append(
        f"From the stable manifold without noise {int(stays.sum())} of {data.sizes['rule']} rules never leave: u stays 0 exactly"
        + ("." if bool(stays.all()) else f"; not so {', '.join(data.rule.values[~stays.values])}.")
    )
    for kind, why in ((1, "rounding alone lets these leave"), (0, "a scale for each coordinate takes these off the manifold")):
        gone = data.isel(rule=np.flatnonzero((data.turned_outcome == "left") & (data.linear == kind)))
        if gone.sizes["rule"]:
            each = ", ".join(f"{name} at step {int(step)}" for name, step in zip(gone.rule.values, gone.turned_escape.values, strict=True))
            out.append(f"On the same saddle turned, without noise, {why}: {each}.")
    return out


def later(quiet: float, loud: float) -> float:
    """The loud time over the quiet one; infinite where only the quiet one was reached, nan where that was not.

    >>> later(10.0, 5.0), later(10.0, float("nan"))
    (0.5, inf)
    """
    return float("nan") if np.isnan(quiet) else float("inf") if np.isnan(loud) else loud / max(quiet, 1.0)


EXPERIMENT = Experiment(
    "saddle", SaddleSpec, measure, count, tables, findings,
    {"full": SaddleSpec(
        rules=rules.names(), noises=[float(f"{10.0 ** (-k / 2):.3g}") for k in range(12, -1, -1)], trajectories=8000, steps=3000,
        turned=rules.names(),
    )},
)  # fmt: skip
