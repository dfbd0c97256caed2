"""What does a larger batch buy: less variance, a lower floor, fewer steps, and up to which size?

On least squares over a drawn table. *Variance*: of the mini-batch gradient at the start (the spread of one step of size 1), against
``sigma^2/B`` (with replacement) and ``sigma^2/B (n - B)/(n - 1)`` (without). *Floor*: the loss above the minimum that constant steps
settle at, against the exact second moment (Bach & Moulines 2013). *Scaling*: steps to a level with the learning rate multiplied
by B (Goyal et al. 2017), by its root, or best for each B; ``steps = S (1 + B_crit/B)`` (McCandlish et al. 2018) is fitted to the best.
"""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field
from scipy.special import stdtrit

from optlab import problems, rules
from optlab.analysis import linear_form
from optlab.ensemble.bind import philox_normals
from optlab.ensemble.moments import batch_factor, optimum
from optlab.ensemble.purposes import Purpose
from optlab.ensemble.second_moment import second_moment
from optlab.experiments.batch_scaling import raced, tuned
from optlab.experiments.experiment import Experiment, ExperimentSpec, Run, Table
from optlab.experiments.gradient_noise import gradient_noise
from optlab.experiments.kinds import spec_head
from optlab.experiments.power_law import power_law
from optlab.experiments.regimes import CONFIDENCE
from optlab.experiments.spec import Count, Positive
from optlab.experiments.sweep import Cell, simulation_cell

SCALINGS = {"best": "best for each batch", "linear": "best of B = 1 times B", "sqrt": "best of B = 1 times the root of B"}
HOLDS = 1.5  #: a scaling holds while it needs at most so many times the samples that B = 1 needs


class BatchSpec(ExperimentSpec):
    """Which table, which batches, how far down."""

    rule: str = "sgd"  #: a linear rule
    rows: Annotated[int, Field(ge=8, le=10**5)] = 256
    dim: Annotated[int, Field(ge=1, le=32)] = 4
    condition_number: Annotated[float, Field(ge=1, le=1e6)] = 10.0
    label_noise: Positive = 0.5
    batches: list[Count] = Field(default=[1, 2, 4, 8, 16, 32, 64, 128, 256], min_length=3)
    samplings: list[Literal["replacement", "subset", "reshuffle"]] = Field(default=["replacement", "subset", "reshuffle"], min_length=1)
    alpha: Positive = 0.3  #: of the floor, in units of 1/L
    level: Annotated[float, Field(gt=0, lt=1)] = 0.01  #: loss above the minimum to be reached, relative to the start
    steps: Count = 200_000  #: that are looked at for it
    trajectories: Annotated[int, Field(ge=64)] = 1280
    replicates: Annotated[int, Field(ge=3, le=1000)] = 5


def table_of(spec: BatchSpec) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, d) and targets (n,): normal columns with scales from 1 down to 1/sqrt(condition_number)."""
    normals = philox_normals(spec.rows, spec.dim + 1, spec.seed, Purpose.DATA)
    scale = np.geomspace(1, spec.condition_number**-0.5, spec.dim)
    X = normals[:, : spec.dim] * scale
    return X, X @ (1 / scale) + spec.label_noise * normals[:, spec.dim]


def measure(spec: BatchSpec, run: Run) -> xr.Dataset:
    """Variance and floor by sampling and batch; steps by scaling and batch; the critical batch size."""
    linear_form(rules.get(spec.rule))  # an adaptive rule is said before anything is run
    X, y = table_of(spec)
    batches = sorted({batch for batch in spec.batches if batch <= spec.rows})
    best, hessian, least = optimum(problems.least_squares(X, y))
    curvature = np.linalg.eigvalsh(hessian)
    alpha = spec.alpha / float(curvature.max())
    each, pairs = max(spec.trajectories // spec.replicates, 1), list(itertools.product(spec.samplings, batches))
    settle = math.ceil(20 / (alpha * float(curvature.min())))
    cells = []
    for sampling, batch in pairs:
        start, still = (problems.least_squares(X, y, sampling=sampling, theta0=at) for at in (np.zeros(spec.dim), best))
        for k in range(spec.replicates):
            options: dict[str, Any] = {"batch": batch, "trajectories": each, "rng": spec.seed * 1_000_003 + k, "quantiles": ()}
            cells.append(
                simulation_cell(
                    f"variance: {sampling}, B = {batch}", rules.get("sgd"), start, schedule=1.0, steps=1, coordinates=True, **options
                )
            )
            cells.append(
                simulation_cell(
                    f"floor: {sampling}, B = {batch}", rules.get(spec.rule), still, schedule=alpha, steps=2 * settle, coordinates=False,
                    record=list(range(settle, 2 * settle + 1)), **options,
                )
            )  # fmt: skip
    shared = {
        "rule": spec.rule, "rows": X.tolist(), "targets": y.tolist(), "sampling": "replacement", "most": spec.steps,
        "level": least + spec.level * (float(np.mean(y**2)) / 2 - least),
    }  # fmt: skip
    cells += [_cell(f"tuning: B = {batch}", tuned, {**shared, "batch": batch}) for batch in batches]
    found = run(cells)
    spread, rest = found[: 2 * len(pairs) * spec.replicates], found[2 * len(pairs) * spec.replicates :]
    shape = len(spec.samplings), len(batches), spec.replicates
    variance = np.array([part.theta_variance.values[-1].sum() for part in spread[::2]]).reshape(shape)
    floor = np.array([part.loss_mean.values.mean() - least for part in spread[1::2]]).reshape(shape)
    unit = gradient_noise(X, y, best, 1, "replacement")
    data: dict[str, Any] = {}
    for name, values, text in (
        ("variance", variance, "total variance of the mini-batch gradient at the start"),
        ("floor", floor, "loss above the minimum that constant steps settle at"),
    ):
        half = stdtrit(spec.replicates - 1, (1 + CONFIDENCE) / 2) * values.std(-1, ddof=1) / math.sqrt(spec.replicates)
        data[name] = ("sampling", "batch"), values.mean(-1), {"long_name": text}
        data[f"{name}_half"] = ("sampling", "batch"), half, {"long_name": f"half width of its {CONFIDENCE:.0%} interval over replicates"}
    data["variance_exact"] = (
        ("sampling", "batch"),
        _variance(X, y, spec.samplings, batches, unit.trace_at_start),
        {"long_name": "exact trace of the covariance of a mini-batch gradient at the start"},
    )
    data["floor_exact"] = (
        ("sampling", "batch"),
        _floors(spec, X, y, batches, alpha, least),
        {"long_name": "exact stationary loss above the minimum"},
    )
    data |= _races(spec, run, shared, batches, rest)
    coords = {"sampling": spec.samplings, "batch": ("batch", batches, {"long_name": "rows in a batch, B"}), "scaling": list(SCALINGS)}
    about = {"noise_scale": unit.simple or math.nan, "rows": spec.rows, "alpha": alpha, "holds": HOLDS}
    out = xr.Dataset(data, coords, about)
    return out.assign_attrs(critical(out))


def _variance(X: np.ndarray, y: np.ndarray, samplings: list[Any], batches: list[int], trace: float) -> np.ndarray:
    """The variance of one row's gradient times the factor of each sampling; a first batch of an epoch is a subset."""
    made = [problems.least_squares(X, y, sampling="subset" if s == "reshuffle" else s) for s in samplings]
    return np.array([[trace * batch_factor(problem, batch) for batch in batches] for problem in made])


def _floors(spec: BatchSpec, X: np.ndarray, y: np.ndarray, batches: list[int], alpha: float, least: float) -> np.ndarray:
    """The exact stationary loss above the minimum; nan for epochs, whose steps are dependent, and infinite where none is settled at."""
    out = np.full((len(spec.samplings), len(batches)), np.nan)
    for i, sampling in enumerate(spec.samplings):
        for j, batch in enumerate(batches if sampling != "reshuffle" else []):
            moment = second_moment(problems.least_squares(X, y, sampling=sampling), rule=spec.rule, batch=batch)
            out[i, j] = moment.stationary_loss(alpha) - least if alpha < moment.stability_limit else math.inf
    return out


def _cell(name: str, function: Any, options: dict[str, Any]) -> Cell:
    return Cell(name, spec_head(function.__name__) | options, partial(function, **options))


def _races(spec: BatchSpec, run: Run, shared: dict[str, Any], batches: list[int], best: list[xr.Dataset]) -> dict[str, Any]:
    """Steps under each scaling of the learning rate, exact and simulated."""
    own = np.array([float(part.alpha) for part in best])
    scale = np.array(batches) / batches[0]
    rates = {"best": own, "linear": own[0] * scale, "sqrt": own[0] * np.sqrt(scale)}
    options = {"trajectories": max(64, spec.trajectories // 4), "seed": spec.seed}
    cells = [
        _cell(f"{scaling}: B = {batch}", raced, {**shared, **options, "batch": batch, "alpha": float(rate)})
        for scaling in SCALINGS
        for batch, rate in zip(batches, rates[scaling], strict=True)
    ]
    found, shape = run(cells), (len(SCALINGS), len(batches))
    texts = {
        "steps_exact": "steps to the level, from the exact expected loss", "steps": "the same by simulation",
        "steps_low": "lower end of its 99 % interval", "steps_high": "upper end of it",
    }  # fmt: skip
    data: dict[str, Any] = {
        name: (("scaling", "batch"), np.array([float(part[name]) for part in found]).reshape(shape), {"long_name": text})
        for name, text in texts.items()
    }
    data["rate"] = ("scaling", "batch"), np.array([rates[s] for s in SCALINGS]), {"long_name": "learning rate"}
    data["limit"] = "batch", [float(part.limit) for part in best], {"long_name": "stability limit of mini-batches of this size"}
    return data


def critical(data: xr.Dataset) -> dict[str, float]:
    """S and B_crit of ``steps = S (1 + B_crit/B)`` with a 95 % interval, and up to which B each scaling holds."""
    batch, steps = data.batch.values.astype(float), data.steps_exact.sel(scaling="best").values
    kept = np.isfinite(steps)
    design = np.stack([np.ones(kept.sum()), 1 / batch[kept]], 1) / steps[kept, None]  # relative errors count
    (floor, slope), *_ = np.linalg.lstsq(design, np.ones(kept.sum()), rcond=None)
    left = 1 - design @ [floor, slope]
    free = max(int(kept.sum()) - 2, 1)
    covariance = np.linalg.inv(design.T @ design) * (left @ left) / free
    ratio = slope / floor
    spread = math.sqrt(max(float(covariance[1, 1] / slope**2 + covariance[0, 0] / floor**2 - 2 * covariance[0, 1] / (slope * floor)), 0.0))
    half = float(stdtrit(free, 0.975)) * spread  # of log B_crit, by the delta method
    out = {"least_steps": float(floor), "critical_batch": float(ratio), "critical_low": float(ratio * math.exp(-half))}
    out["critical_high"] = float(ratio * math.exp(half))
    for scaling in ("linear", "sqrt"):
        samples = data.steps_exact.sel(scaling=scaling).values * batch
        bad = np.flatnonzero(~(samples <= HOLDS * samples[0]))
        out[f"{scaling}_holds"] = float(batch[bad[0] - 1] if len(bad) else batch[-1]) if not len(bad) or bad[0] else math.nan
    return out


def tables(data: xr.Dataset) -> list[Table]:
    """Variance and floor by sampling; steps by scaling."""
    first = []
    for sampling, batch in itertools.product(data.sampling.values, data.batch.values):
        row = data.sel(sampling=sampling, batch=batch)
        pieces = [f"{float(row[n]):.4g} ± {float(row[n + '_half']):.1g}" for n in ("variance", "floor")]
        exact = [f"{float(row[f'{n}_exact']):.4g}" for n in ("variance", "floor")]
        first.append([str(sampling), str(batch), pieces[0], exact[0], pieces[1], exact[1]])
    second = []
    for scaling, batch in itertools.product(data.scaling.values, data.batch.values):
        row = data.sel(scaling=scaling, batch=batch)
        steps, measured = (f"{float(v):.5g}" for v in (row.steps_exact, row.steps))
        interval = f"[{float(row.steps_low):.5g}, {float(row.steps_high):.5g}]"
        second.append(
            [str(scaling), str(batch), f"{float(row.rate):.4g}", steps, measured, interval, f"{float(row.steps_exact) * batch:.5g}"]
        )
    return [
        Table("gradient variance and noise floor", ["sampling", "B", "variance", "exact", "floor", "exact"], first),
        Table("steps to the level", ["learning rate", "B", "alpha", "steps, exact", "simulated", "99 %", "rows seen"], second),
    ]


def findings(data: xr.Dataset) -> list[str]:
    """Powers of B, what sampling changes, where linear scaling ends, the critical batch size."""
    out, batch = [], data.batch.values
    for name, what in (("variance", "The variance of the gradient"), ("floor", "The noise floor")):
        for sampling in data.sampling.values:
            fit = power_law(batch, data[name].sel(sampling=sampling).where(data.batch < data.attrs["rows"]).values)
            out.append(f"{what} goes as B to the power {fit.text()} ({sampling}, B below n).")
    if {"subset", "reshuffle"} <= set(data.sampling.values):
        ratio = data.floor.sel(sampling="reshuffle") / data.floor.sel(sampling="subset")
        inner = ratio.where(data.batch < data.attrs["rows"]).values
        out.append(f"Epochs (reshuffle) settle at {np.nanmin(inner):.2g} to {np.nanmax(inner):.2g} times the floor of fresh subsets.")
    at = data.attrs
    ends = float(at["linear_holds"])
    beyond = [int(b) for b in batch if b > ends]
    said = f"The linear scaling rule holds up to B = {ends:.0f} (at most {at['holds']:g} times the rows that B = {batch[0]} sees)"
    if beyond:
        steps = float(data.steps_exact.sel(scaling="linear", batch=beyond[0]))
        said += f"; at B = {beyond[0]} it " + (f"takes {steps:.0f} steps" if math.isfinite(steps) else "does not reach the level")
    out.append(said + ".")
    crit = f"{at['critical_batch']:.3g} [{at['critical_low']:.3g}, {at['critical_high']:.3g}]"
    out.append(
        f"At the best rate of each B the steps are {at['least_steps']:.3g} (1 + B_crit/B) with B_crit = {crit} rows; the gradient-noise "
        f"scale at the start, tr C/|g|^2, is {at['noise_scale']:.3g} rows."
    )
    return out


FULL = BatchSpec(rows=4096, dim=8, condition_number=30.0, batches=[2**k for k in range(13)], trajectories=4096, replicates=16)


def count(spec: BatchSpec) -> int:
    """How many cells it runs."""
    sizes = len({batch for batch in spec.batches if batch <= spec.rows})
    return sizes * (2 * len(spec.samplings) * spec.replicates + 1 + len(SCALINGS))


EXPERIMENT = Experiment("batch", BatchSpec, measure, count, tables, findings, {"full": FULL})
