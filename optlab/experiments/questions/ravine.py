"""Paths over the contours of f = (x^2/kappa + y^2)/2, every rule at its tuned learning rate, without noise and with it.

Swinging is counted: how often the step along the stiff direction changes its sign (Polyak 1964 on ravines; Sutskever et al. 2013). Beside
it stand how fast each direction is damped, and the same for SGD over learning rates. Theory is exact for linear rules: the spectral
radius of the step, the variance under noise, and the share of steps that turn.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import xarray as xr
from pydantic import Field

from optlab import rules
from optlab.analysis import is_linear
from optlab.ensemble.predict import predict
from optlab.experiments.experiment import Experiment, ExperimentSpec, Run, Table
from optlab.experiments.paths import Path, candidates, problem_of, run_ravine
from optlab.experiments.paths import count as count_paths
from optlab.experiments.spec import USUAL_RULES, Positive, Ravine
from optlab.experiments.sweep import simulation_cell
from optlab.experiments.swing import factor, mean_interval, predicted_factor, predicted_turns, turns
from optlab.expressions import Rule

CONFIDENCE = 0.99


class RavineSpec(ExperimentSpec, Ravine):
    """Which rules, how long a ravine, how many steps, how much noise."""

    rules: list[str] = Field(default=[*USUAL_RULES, "adagrad", "lion"], min_length=1)
    start: tuple[float, float] = (-0.93, 0.57)  #: (flat, stiff); from -1 a sign-like step of a learning rate tried lands on 0 exactly
    noise: Positive = 0.05  #: deviation of the gradient noise of the runs that have some
    trajectories: Annotated[int, Field(ge=2, le=100_000)] = 128  #: runs with noise
    sgd_rates: list[Positive] = Field(default=[0.25, 0.5, 0.75, 0.95, 1.05, 1.25, 1.5, 1.75, 1.95], min_length=1)  #: times 1/L


def count(spec: RavineSpec) -> int:
    """The paths, the runs with noise, and SGD at its rates with and without noise."""
    return count_paths(spec, spec.rules) + len(spec.rules) + 2 * len(spec.sgd_rates)


def measure(spec: RavineSpec, run: Run) -> xr.Dataset:
    """Paths, sign changes of the stiff step, damping, the flat direction's remaining distance; what noise makes of them."""
    paths = run_ravine(spec, spec.rules, run, spec.start)
    used = [used_rule(spec, path) for path in paths]
    quiet: dict[str, Any] = {"steps": spec.steps, "record": list(range(spec.steps + 1)), "keep": 1}
    loud: dict[str, Any] = quiet | {"keep": spec.trajectories, "trajectories": spec.trajectories, "rng": spec.seed}
    noisy, sgd = problem_of(spec, spec.noise, spec.start), rules.get("sgd")
    cells = [simulation_cell(f"{p.rule} with noise", r, noisy, schedule=p.alpha, **loud) for p, r in zip(paths, used, strict=True)]
    for alpha in spec.sgd_rates:
        cells.append(simulation_cell(f"sgd at {alpha:g}/L", sgd, problem_of(spec, start=spec.start), schedule=alpha, **quiet))
        cells.append(simulation_cell(f"sgd at {alpha:g}/L with noise", sgd, noisy, schedule=alpha, **loud))
    results = run(cells)
    variables = on_paths(spec, paths, used) | with_noise(spec, paths, used, results[: len(paths)])
    variables |= sgd_over_rates(spec, results[len(paths) :])
    rate = ("sgd_rate", spec.sgd_rates, {"long_name": "learning rate of SGD times the largest curvature"})
    return xr.Dataset(variables, {"rule": spec.rules, "step": np.arange(spec.steps + 1), "direction": ["flat", "stiff"], "sgd_rate": rate})


def used_rule(spec: RavineSpec, path: Path) -> Rule:
    """The rule of a path with the hyper-parameters that it ran with."""
    return next(rule for alpha, rule in candidates(spec, path.rule) if alpha == path.alpha)


def on_paths(spec: RavineSpec, paths: list[Path], used: list[Rule]) -> dict[str, Any]:
    """What is read off the paths without noise."""
    points = np.stack([path.points for path in paths])
    curvatures = (1 / spec.kappa, 1.0)
    factors = [[factor(path.points[:, k]) for k in (0, 1)] for path in paths]
    theory = [[predicted_factor(rule, path.alpha, h) for h in curvatures] for path, rule in zip(paths, used, strict=True)]
    half = [np.flatnonzero(np.abs(path.points[:, 0]) <= abs(path.points[0, 0]) / 2) for path in paths]
    late = "late factor per step of |theta|: the largest of the last quarter of the steps against the quarter before"
    return {
        "theta": (("rule", "step", "direction"), points, {"long_name": "parameters, without noise"}),
        "alpha": ("rule", [path.alpha for path in paths], {"long_name": "learning rate"}),
        "sign_changes": ("rule", [path.sign_changes for path in paths], {"long_name": "sign changes of the stiff direction's step"}),
        "loss_final": ("rule", [path.final_loss for path in paths], {"long_name": "loss after the last step"}),
        "factor": (("rule", "direction"), factors, {"long_name": late}),
        "factor_predicted": (("rule", "direction"), theory, {"long_name": "spectral radius of a linear rule's step"}),
        "flat_left": ("rule", np.abs(points[:, -1, 0] / points[:, 0, 0]), {"long_name": "share of the flat distance left at the end"}),
        "flat_half": (
            "rule", [float(at[0]) if len(at) else np.nan for at in half],
            {"long_name": "first step with half of the flat distance gone; nan: not within the steps", "units": "steps"},
        ),
    }  # fmt: skip


def with_noise(spec: RavineSpec, paths: list[Path], used: list[Rule], results: list[xr.Dataset]) -> dict[str, Any]:
    """Turning and spread under noise, late in the runs, and what theory says of them."""
    shares = [late_turns(result) for result in results]
    spread = [np.sqrt(result.theta_variance.values[-1]) for result in results]
    exact = []
    for path, rule in zip(paths, used, strict=True):
        if is_linear(rule):
            found = predict(rule, problem_of(spec, spec.noise, spec.start), schedule=path.alpha, steps=spec.steps, record=[spec.steps])
            exact.append(np.sqrt(found.theta_variance.values[-1]))
        else:
            exact.append(np.full(2, np.nan))
    about = {"long_name": "share of late steps along the stiff direction that turn, with noise", "units": "1"}
    end = f"of its interval, {CONFIDENCE:.0%} (Student's t over runs)"
    theory = [predicted_turns(rule, path.alpha, 1.0) for path, rule in zip(paths, used, strict=True)]
    return {
        "turns": ("rule", [share[0] for share in shares], about),
        "turns_low": ("rule", [share[1] for share in shares], {"long_name": f"lower end {end}"}),
        "turns_high": ("rule", [share[2] for share in shares], {"long_name": f"upper end {end}"}),
        "turns_predicted": ("rule", theory, {"long_name": "arccos(r)/pi of the stationary steps of a linear rule"}),
        "spread": (("rule", "direction"), spread, {"long_name": "standard deviation over runs after the last step, with noise"}),
        "spread_predicted": (("rule", "direction"), exact, {"long_name": "the same, exact, of a linear rule"}),
    }


def late_turns(result: xr.Dataset) -> tuple[float, float, float]:
    """The share of steps of the second half that turn along the stiff direction: mean over runs, and its interval."""
    turning = turns(result.theta.values[:, :, 1])
    return mean_interval(turning[:, turning.shape[1] // 2 :].mean(1), CONFIDENCE)


def sgd_over_rates(spec: RavineSpec, results: list[xr.Dataset]) -> dict[str, Any]:
    """Where SGD swings: the share of its steps that turn, by learning rate."""
    quiet = [float(turns(result.theta.values[0, :, 1]).mean()) for result in results[::2]]
    shares = [late_turns(result) for result in results[1::2]]
    theory = [predicted_turns(rules.get("sgd"), alpha, 1.0) for alpha in spec.sgd_rates]
    about = "share of SGD's steps along the stiff direction that turn"
    return {
        "sgd_turns_quiet": ("sgd_rate", quiet, {"long_name": f"{about}, without noise"}),
        "sgd_turns": ("sgd_rate", [share[0] for share in shares], {"long_name": f"{about}, late, with noise"}),
        "sgd_turns_low": ("sgd_rate", [share[1] for share in shares], {"long_name": "lower end of its interval"}),
        "sgd_turns_high": ("sgd_rate", [share[2] for share in shares], {"long_name": "upper end of its interval"}),
        "sgd_turns_predicted": ("sgd_rate", theory, {"long_name": "arccos(r)/pi of its stationary steps"}),
    }


def tables(data: xr.Dataset) -> list[Table]:
    """Paths without noise, turning and spread with it, SGD by learning rate."""
    quiet, loud, rates = [], [], []
    for rule in data.rule.values:
        row = data.sel(rule=rule)
        swings, half = f"{int(row.sign_changes)} of {data.sizes['step'] - 2}", float(row.flat_half)
        factors = [beside(row.factor.values[k], row.factor_predicted.values[k], 3) for k in (1, 0)]
        quiet.append([
            str(rule), f"{float(row.alpha):.4g}", swings, *factors, "not reached" if np.isnan(half) else f"{half:.0f}",
            f"{float(row.flat_left):.3g}", f"{float(row.loss_final):.3g}",
        ])  # fmt: skip
        share = beside(float(row.turns), float(row.turns_predicted), 3)
        interval = f"{float(row.turns_low):.3f} to {float(row.turns_high):.3f}"
        loud.append([str(rule), share, interval, *(beside(row.spread.values[k], row.spread_predicted.values[k], 3) for k in (1, 0))])
    for rate in data.sgd_rate.values:
        row = data.sel(sgd_rate=rate)
        turning = beside(float(row.sgd_turns), float(row.sgd_turns_predicted), 3)
        rates.append([f"{rate:g}/L", f"{float(row.sgd_turns_quiet):.3f}", turning])
    return [
        Table(
            "paths without noise (theory in brackets)",
            ["rule", "learning rate", "sign changes", "stiff factor", "flat factor", "flat half gone at", "flat left", "final loss"], quiet,
        ),
        Table("with noise, late (theory in brackets)", ["rule", "steps that turn", "interval", "stiff spread", "flat spread"], loud),
        Table("SGD: steps that turn (theory in brackets)", ["learning rate", "no noise", "with noise"], rates),
    ]  # fmt: skip


def beside(measured: float, theory: float, digits: int) -> str:
    """A number, and in brackets what theory says, where it says something."""
    return f"{measured:.{digits}g}" + ("" if np.isnan(theory) else f" ({theory:.{digits}g})")


def findings(data: xr.Dataset) -> list[str]:
    """Who swings most, who arrives, who crawls; when SGD swings; what noise does."""
    steps, swung = data.sizes["step"] - 1, data.sign_changes.values
    best, crawls = data.isel(rule=int(np.argmin(data.loss_final.values))), data.isel(rule=int(np.argmax(data.flat_left.values)))
    most = data.rule.values[swung == swung.max()]
    out = [
        f"{', '.join(most)} swing{'s' * (len(most) == 1)} across the ravine most often: {swung.max()} changes of sign in {steps} steps.",
        f"{best.rule.item()} ends lowest, at a loss of {float(best.loss_final):.3g}.",
        f"{crawls.rule.item()} crawls most: {float(crawls.flat_left):.1%} of the flat distance is left after {steps} steps.",
    ]
    swings = data.sgd_turns_quiet.values > 0.5
    if swings.any() and not swings.all():
        out.append(
            f"Without noise SGD swings from a learning rate of {data.sgd_rate.values[swings].min():g}/L on, and at "
            f"{data.sgd_rate.values[~swings].max():g}/L it does not: swinging is a matter of the learning rate."
        )
    least = data.isel(sgd_rate=int(np.argmin(data.sgd_turns.values)))
    out.append(
        f"With noise SGD's step turns at {float(least.sgd_turns):.0%} of the steps or more at every learning rate tried: "
        "noise swings where the ravine does not."
    )
    linear = data.isel(rule=np.flatnonzero(np.isfinite(data.turns_predicted)))
    if linear.sizes["rule"]:
        inside = (linear.turns_low <= linear.turns_predicted) & (linear.turns_predicted <= linear.turns_high)
        out.append(
            f"The predicted share of turning steps lies in the interval for {int(inside.sum())} of {linear.sizes['rule']} linear rules"
            + ("." if bool(inside.all()) else f"; not for {', '.join(linear.rule.values[~inside.values])}.")
        )
    return out


EXPERIMENT = Experiment(
    "ravine", RavineSpec, measure, count, tables, findings,
    {"full": RavineSpec(rules=rules.names(), kappa=100.0, steps=400, trajectories=2000)},
)  # fmt: skip
