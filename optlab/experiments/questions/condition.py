"""Steps to a relative loss eps on quadratics of condition number kappa, for every rule, and the power of kappa by which they grow.

Curvatures lie log-spaced in [1/kappa, 1]; every eigen-direction starts with the same share of the loss, 1 in all, whether the axes
are the eigen-directions or a random rotation of them. So L, the loss at the start and the noise stay the same and kappa alone changes.
Without noise theory (Polyak 1964) has the exponents 1 for gradient descent and 1/2 for momentum; Adam has none to compare with.
"""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from optlab import problems, rules
from optlab.analysis import is_linear
from optlab.analysis.tuning import tune
from optlab.ensemble.bind import rotation_matrix
from optlab.errors import UnsupportedError
from optlab.experiments.experiment import Experiment, ExperimentSpec, Run, Table
from optlab.experiments.first_passage import REACHED, passage
from optlab.experiments.kinds import spec_head
from optlab.experiments.power_law import METHOD, PowerLaw, power_law
from optlab.experiments.spec import Count
from optlab.experiments.sweep import Cell

NUMBERS = {
    "steps": "first step with an expected loss at or below eps", "low": "lower end of its 99 % interval", "high": "upper end of it",
    "exact": "the same from the exact expected loss", "rate": "error factor per step fitted to the second half of the way, without noise",
    "alpha": "learning rate", "diverged": "share of runs that diverged",
}  # fmt: skip
SETTINGS = ("rule", "tuning", "orientation", "noise")


class ConditionSpec(ExperimentSpec):
    """Which rules on which spectra; how far down; with how much noise; tuned in which ways."""

    rules: list[str] = Field(default=["sgd", "momentum", "nesterov", "adam"], min_length=1)
    kappas: list[Annotated[float, Field(gt=1, le=1e9)]] = Field(default=[10.0, 30.0, 100.0, 300.0, 1000.0], min_length=1)
    tunings: list[Literal["minimax", "search", "default"]] = Field(default=["minimax", "search", "default"], min_length=1)
    orientations: list[Literal["aligned", "rotated"]] = Field(default=["aligned", "rotated"], min_length=1)
    noise: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(default=[0.0, 0.01], min_length=1)
    eps: Annotated[float, Field(gt=0, lt=1)] = 1e-4  #: the level, relative to the loss at the start
    dim: Annotated[int, Field(ge=2, le=2000)] = 10
    rotation: Annotated[int, Field(ge=0)] = 1  #: seed of the rotation
    batch: Count = 1
    steps: Count = 30_000  #: that a run is followed for
    trajectories: Annotated[int, Field(ge=64)] = 256


def quadratic(spec: ConditionSpec, kappa: float, orientation: str, noise: float) -> dict[str, Any]:
    """The options of the quadratic: an equal share of the loss in every eigen-direction, 1 in all."""
    plain: dict[str, Any] = {"condition_number": kappa, "dim": spec.dim, "noise": noise}
    start = np.sqrt(2 / (spec.dim * np.array(problems.quadratic(**plain).spectrum)))
    if orientation == "aligned":
        return {**plain, "theta0": start.tolist()}
    return {**plain, "rotation": spec.rotation, "theta0": (rotation_matrix(spec.dim, spec.rotation).T @ start).tolist()}


def cell(spec: ConditionSpec, rule: str, tuning: str, orientation: str, noise: float, kappa: float) -> Cell:
    """One rule on one quadratic under one tuning."""
    options: dict[str, Any] = {
        "rule": rule, "problem": quadratic(spec, kappa, orientation, noise), "tuning": tuning, "level": spec.eps, "most": spec.steps,
        "batch": spec.batch, "trajectories": spec.trajectories, "seed": spec.seed,
    }  # fmt: skip
    keyed = spec_head("first passage") | {"rule_fingerprint": rules.get(rule).fingerprint} | options
    return Cell(f"{rule}, {tuning}, kappa {kappa:g}, {orientation}{', noise' if noise else ''}", keyed, partial(passage, **options))


def measure(spec: ConditionSpec, run: Run) -> xr.Dataset:
    """Steps, rates and settings by rule, tuning, orientation, noise and kappa; exponents of kappa."""
    for name in spec.rules:
        rules.get(name)  # an unknown one is said before anything is run
    axes: dict[str, list[Any]] = {
        "rule": spec.rules,
        "tuning": spec.tunings,
        "orientation": spec.orientations,
        "noise": spec.noise,
        "kappa": sorted(set(spec.kappas)),
    }
    found = run([cell(spec, *point) for point in itertools.product(*axes.values())])
    shape = tuple(map(len, axes.values()))
    data: dict[str, Any] = {
        name: ([*axes], np.array([float(part[name]) for part in found]).reshape(shape), {"long_name": about})
        for name, about in NUMBERS.items()
    }
    for name in ("outcome", "setting"):
        data[name] = ([*axes], np.array([str(part.attrs[name]) for part in found]).reshape(shape))
    out = xr.Dataset(data, {**axes, "kappa": ("kappa", axes["kappa"], {"long_name": "condition number"})})
    theory = np.array([[_theory_rate(rule, kappa) for kappa in axes["kappa"]] for rule in spec.rules])
    with np.errstate(divide="ignore"):
        steps = math.log(spec.eps) / (2 * np.log(theory))
    out["theory_rate"] = ("rule", "kappa"), theory, {"long_name": "derived minimax rate: error factor per step"}
    out["theory_steps"] = ("rule", "kappa"), steps, {"long_name": "steps that eps takes at the minimax rate, ln eps / (2 ln rate)"}
    return out.assign(exponents(out)).assign_attrs(exponent_method=METHOD, eps=spec.eps)


def _theory_rate(rule: str, kappa: float) -> float:
    record = rules.get(rule)
    if not is_linear(record):
        return math.nan
    try:
        return tune(record, 1 / kappa, 1.0).rate
    except UnsupportedError:
        return math.nan


def exponents(data: xr.Dataset) -> dict[str, Any]:
    """The power laws in kappa of the steps, and of the steps per e-fold that the fitted rate means."""

    def fits(values: xr.DataArray, dims: tuple[str, ...]) -> list[PowerLaw]:
        flat = values.transpose(*dims, "kappa").values.reshape(-1, data.sizes["kappa"])
        return [power_law(data.kappa.values, row) for row in flat]

    out: dict[str, Any] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        per_fold = -1 / np.log(data.rate)
    sources = {"exponent": data.steps, "rate_exponent": per_fold}
    for name, values in sources.items():
        found = fits(values, SETTINGS)
        shape = [data.sizes[dim] for dim in SETTINGS]
        what = "of the steps to eps" if name == "exponent" else "of the steps per e-fold, -1/ln(rate)"
        for part, field in (("", "exponent"), ("_low", "low"), ("_high", "high"), ("_points", "points")):
            out[name + part] = (
                SETTINGS,
                np.array([float(getattr(fit, field)) for fit in found]).reshape(shape),
                {"long_name": f"exponent of kappa {what}{part.replace('_', ', ')}"},
            )
    theory = [power_law(data.kappa.values, row).exponent for row in data.theory_steps.values]
    out["theory_exponent"] = "rule", theory, {"long_name": "the same fit to the steps at the minimax rate"}
    return out


def law(point: xr.Dataset, name: str = "exponent") -> PowerLaw:
    """The fitted power law of one rule, tuning, orientation and noise."""
    exponent, low, high = (float(point[name + part]) for part in ("", "_low", "_high"))
    return PowerLaw(exponent, low, high, math.nan, int(point[f"{name}_points"]))


def columns(data: xr.Dataset) -> list[tuple[str, float]]:
    """Orientation and noise, in the order of the tables."""
    return list(itertools.product(map(str, data.orientation.values), map(float, data.noise.values)))


def tables(data: xr.Dataset) -> list[Table]:
    """Exponents of kappa with their intervals; the steps themselves."""
    heads = [f"{orientation}, {f'noise {noise:g}' if noise else 'no noise'}" for orientation, noise in columns(data)]
    exponent_rows, step_rows = [], []
    for rule, tuning in itertools.product(map(str, data.rule.values), map(str, data.tuning.values)):
        row = data.sel(rule=rule, tuning=tuning)
        texts = [law(row.sel(orientation=o, noise=n)).text() for o, n in columns(data)]
        theory = f"{float(row.theory_exponent):.2f}" if tuning == "minimax" and np.isfinite(row.theory_exponent) else ""
        exponent_rows.append([rule, tuning, theory, *texts])
        for o, n in columns(data):
            part = row.sel(orientation=o, noise=n)
            cells = [f"{s:.0f}" if w == REACHED else str(w) for s, w in zip(part.steps.values, part.outcome.values, strict=True)]
            step_rows.append([rule, tuning, o, f"{n:g}", *cells])
    kappas = [f"kappa {kappa:g}" for kappa in data.kappa.values]
    return [
        Table("exponent of kappa, 95 % interval", ["rule", "tuning", "theory", *heads], exponent_rows, (0, 1)),
        Table(f"steps to {data.attrs['eps']:g} of the loss", ["rule", "tuning", "axes", "noise", *kappas], step_rows, (0, 1, 2)),
    ]


def findings(data: xr.Dataset) -> list[str]:
    """What theory says and what is measured; what rotation and noise change; what was not reached."""
    out = []
    tuning = "search" if "search" in data.tuning.values else str(data.tuning.values[0])
    how = {"search": "tuned by search", "minimax": "at the minimax tuning", "default": "at default settings"}[tuning]
    tuned = data.sel(tuning=tuning)
    for orientation, noise in columns(data):
        part = tuned.sel(orientation=orientation, noise=noise)
        named = [(str(rule), law(part.sel(rule=rule))) for rule in data.rule.values]
        said = [f"{rule} {fit.text()}" for rule, fit in named if fit.points > 2]
        if said:
            noisy = f"with noise {noise:g}" if noise else "without noise"
            out.append(f"{how[0].upper()}{how[1:]}, {orientation}, {noisy}, steps grow as kappa to the power: {', '.join(said)}.")
    if "minimax" in data.tuning.values and 0 in data.noise.values:
        quiet = data.sel(tuning="minimax", noise=0.0)
        far = float(np.nanmax(np.abs(quiet.rate_exponent - data.theory_exponent).values, initial=0.0))
        if np.isfinite(quiet.rate_exponent).any():
            out.append(f"At the minimax tuning the exponents of the fitted rates are within {far:.2f} of the derived ones.")
    out += [text for rule in data.rule.values for text in _turned(str(rule), tuned.sel(rule=rule))]
    missed = [str(outcome) for outcome in data.outcome.values.ravel() if outcome != REACHED]
    if missed:
        counted = [f"{missed.count(kind)} {kind}" for kind in dict.fromkeys(missed)]
        out.append(f"Of {data.outcome.size} settings {len(missed)} have no number of steps: {', '.join(counted)}.")
    return out


def _turned(rule: str, part: xr.Dataset) -> list[str]:
    """What rotation, and what noise, changes of one rule's steps at the largest kappa."""
    out, kappa = [], float(part.kappa.values[-1])
    last = part.isel(kappa=-1)
    if part.sizes["orientation"] == 2:
        quiet = last.sel(noise=float(part.noise.values.min()))
        aligned, rotated = (float(quiet.steps.sel(orientation=o)) for o in ("aligned", "rotated"))
        if max(aligned, rotated) > 1.1 * min(aligned, rotated) and np.isfinite([aligned, rotated]).all():
            verb = "costs" if rotated > aligned else "helps"
            out.append(f"Rotating the axes {verb} {rule} at kappa {kappa:g}: {aligned:.0f} steps become {rotated:.0f}.")
    return out


FULL = ConditionSpec(
    rules=["sgd", "momentum", "nesterov", "ema_momentum", "rmsprop", "adam", "amsgrad", "adagrad"],
    kappas=[10.0, 100.0, 1e3, 1e4, 1e5, 1e6], steps=2_000_000,
)  # fmt: skip


def count(spec: ConditionSpec) -> int:
    """How many cells it runs."""
    return len(spec.rules) * len(spec.tunings) * len(spec.orientations) * len(spec.noise) * len(set(spec.kappas))


EXPERIMENT = Experiment("condition", ConditionSpec, measure, count, tables, findings, {"full": FULL})
