"""The largest learning rate that trains a small network with each normalization and without one; its activations; small batches.

A rate is stable if the run neither diverges nor stays at the loss of a guess (:mod:`optlab.experiments.rate_limits`). Limits are found by
seed, on a grid and then by bisection. The Gram matrix of each layer's activations is looked at before and after training at the rate of
least loss. In small batches every norm is measured in evaluation mode, with running values, and in training mode, with each batch's own
statistics. Ioffe & Szegedy, ICML 2015; Ba, Kiros & Hinton, arXiv:1607.06450; Zhang & Sennrich, NeurIPS 2019; Santurkar, Tsipras, Ilyas &
Madry, NeurIPS 2018 (batch normalization smooths the loss).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field
from scipy import stats

from optlab.experiments.experiment import Experiment, ExperimentSpec, Run, Table
from optlab.experiments.norm_training import cell
from optlab.experiments.rate_limits import RECORDS, Limits, interval, limits, ratio
from optlab.experiments.spec import Count, Positive
from optlab.experiments.sweep import Cell

CONFIDENCE = 0.99
ENDS = ("start", "end")

NormName = Literal["none", "batch", "layer", "rms"]


class NormalizationSpec(ExperimentSpec):
    """Which network and norms, which rates, how many seeds, which small batches."""

    model: str = "mlp(hidden=[32, 32, 32])"  #: a call without its norm
    norms: list[NormName] = Field(default=["none", "batch", "layer", "rms"], min_length=1)
    rule: str = "sgd"
    rates: list[Positive] = Field(default=[0.1, 0.3, 1.0, 3.0, 10.0], min_length=2)
    refine: Annotated[int, Field(ge=0, le=10)] = 2  #: bisections after the grid
    seeds: Annotated[int, Field(ge=2, le=1000)] = 4  #: of images, weights and order
    batch: Count = 32
    steps: Annotated[int, Field(ge=10, le=1_000_000)] = 150
    training: Annotated[int, Field(ge=10, le=1_000_000)] = 1000
    test: Annotated[int, Field(ge=10, le=1_000_000)] = 500
    size: Annotated[int, Field(ge=4, le=256)] = 8  #: of the synthetic textures, pixels
    batches: list[Count] = Field(default=[1, 4])  #: the small ones
    rate: Positive = 0.03  #: in small batches
    small_steps: Count = 1500  #: of a small-batch run


def count(spec: NormalizationSpec) -> int:
    """Every rate and the bisections, then the small batches, for every norm and seed (where no limit is found, fewer)."""
    return len(spec.norms) * spec.seeds * (len(spec.rates) + spec.refine + len(spec.batches))


def seeds_of(spec: NormalizationSpec) -> list[int]:
    """The seeds of the runs: those of two specs do not overlap."""
    return [1000 * spec.seed + k for k in range(spec.seeds)]


def measure(spec: NormalizationSpec, run: Run) -> xr.Dataset:
    """Limits, best rates, spectra, small batches."""
    seeds, rates = seeds_of(spec), sorted(spec.rates)
    options: dict[str, Any] = {"rule": spec.rule, "training": spec.training, "test": spec.test, "size": spec.size}

    def make(norm: str) -> Any:
        def one(rate: float, seed: int) -> Cell:
            more: dict[str, Any] = {"batch": spec.batch, "steps": spec.steps, "records": RECORDS, "gram": True}
            return cell(spec.model, norm, rate, seed=seed, **options, **more)

        return one

    found = limits(run, [make(norm) for norm in spec.norms], rates, seeds, spec.refine)
    small = run([
        cell(spec.model, norm, spec.rate, batch=batch, steps=spec.small_steps, seed=seed, records=RECORDS, **options)
        for norm in spec.norms for batch in spec.batches for seed in seeds
    ])  # fmt: skip
    losses = np.array([[[float(result.step_loss[-1]) for result in row] for row in one.runs] for one in found])
    accuracy = np.array([[[float(result.test_accuracy[-1]) for result in row] for row in one.runs] for one in found])
    mean = np.where(np.isfinite(losses), losses, np.inf).mean(2)
    best = mean.argmin(1)
    at_best = [accuracy[k, i] for k, i in enumerate(best)]
    base = found[spec.norms.index("none")] if "none" in spec.norms else None
    gains = [ratio(one, base, CONFIDENCE) if base is not None else (np.nan,) * 3 for one in found]
    over, said = ("norm", "rate", "seed"), f"{CONFIDENCE:.0%}, over seeds"
    variables: dict[str, Any] = {
        "end_loss": (over, losses, {"long_name": "mean loss over the last fifth of the steps, in training mode; nan: diverged"}),
        "accuracy": (over, accuracy, {"long_name": "fraction of the test images right after the last step, in evaluation mode"}),
        "limit_below": (over[::2], [one.below for one in found], {"long_name": "largest learning rate known to train; nan: none"}),
        "limit_above": (over[::2], [one.above for one in found], {"long_name": "least rate above it known not to; infinite: none"}),
        "best_rate": ("norm", [rates[i] for i in best], {"long_name": "rate of the grid of least mean loss at the end"}),
    }  # fmt: skip
    triples(variables, "limit", ("norm",), [limit_of(one) for one in found], f"largest stable learning rate, geometric mean ({said})")
    triples(variables, "gain", ("norm",), gains, f"largest stable rate over that without a norm, paired by seed ({said})")
    triples(variables, "best_accuracy", ("norm",), [student(a) for a in at_best], f"accuracy at the best rate ({said})")
    spectra = [
        [[[[float(result[name][e, layer]) for result in one.runs[i]] for layer in range(one.runs[i][0].sizes["layer"])] for e in (0, 1)]
         for one, i in zip(found, best, strict=True)]
        for name in ("condition", "rank")
    ]  # fmt: skip
    with np.errstate(invalid="ignore"):
        variables["condition"] = (("norm", "end", "layer"), np.median(spectra[0], -1), {
            "long_name": "condition number of the activations' Gram matrix, median over seeds, at the best rate; infinite: a dead unit",
        })  # fmt: skip
        variables["rank"] = (("norm", "end", "layer"), np.median(spectra[1], -1), {"long_name": "its effective rank, median over seeds"})
    shape = (len(spec.norms), len(spec.batches), len(seeds))
    for name, part, mode in (("small", "test_accuracy", "evaluation"), ("small_own", "own_accuracy", "training")):
        values = np.array([float(result[part].values.ravel()[-1]) for result in small]).reshape(shape)
        about = f"fraction of the test images right in {mode} mode after training in small batches ({said})"
        triples(variables, name, ("norm", "batch"), [[student(row) for row in rows] for rows in values], about)
    coords = {
        "norm": list(spec.norms), "rate": ("rate", rates, {"long_name": "learning rate"}), "seed": seeds, "end": list(ENDS),
        "batch": ("batch", list(spec.batches), {"long_name": "images in a small batch"}),
    }  # fmt: skip
    return xr.Dataset(variables, coords, {"small_rate": spec.rate, "small_steps": spec.small_steps, "model": spec.model, "rule": spec.rule})


def triples(variables: dict[str, Any], name: str, over: tuple[str, ...], values: Any, about: str) -> None:
    """Three variables: the value and the ends of its interval."""
    table = np.array(values, float)
    for k, (end, words) in enumerate((("", ""), ("_low", "lower end of: "), ("_high", "upper end of: "))):
        variables[name + end] = (over, table[..., k], {"long_name": words + about})


def limit_of(one: Limits) -> tuple[float, float, float]:
    """The limit of one setup with its interval."""
    return interval(one.below, one.above, CONFIDENCE)


def student(values: np.ndarray) -> tuple[float, float, float]:
    """(mean, low, high): Student's interval; a run that diverged makes it nan."""
    half = float(stats.t.isf((1 - CONFIDENCE) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def shown(row: xr.Dataset, name: str, digits: str = ".3g") -> str:
    """A number with its interval."""
    value, low, high = (float(row[name + end]) for end in ("", "_low", "_high"))
    return "-" if np.isnan(value) else f"{value:{digits}} [{low:{digits}}, {high:{digits}}]"


def tables(data: xr.Dataset) -> list[Table]:
    """Limits and best rates; spectra; small batches."""
    rates, spectra, small = [], [], []
    for norm in data.norm.values:
        row = data.sel(norm=norm)
        lost, best = int((~np.isfinite(row.end_loss)).sum()), f"{float(row.best_rate):g}"
        rates.append([str(norm), shown(row, "limit"), shown(row, "gain"), best, shown(row, "best_accuracy"), str(lost)])
        for layer in range(data.sizes["layer"]):
            at = row.isel(layer=layer)
            spectra.append([str(norm), str(layer + 1), *(f"{float(at.condition.sel(end=e)):.3g}" for e in ENDS),
                            *(f"{float(at['rank'].sel(end=e)):.2g}" for e in ENDS)])  # fmt: skip
        for batch in data.batch.values:
            one = row.sel(batch=batch)
            small.append([str(norm), str(batch), shown(one, "small"), shown(one, "small_own")])
    out = [
        Table("largest stable learning rate", ["norm", "limit", "over none", "best rate", "accuracy there", "diverged"], rates),
        Table("Gram matrix of the activations, at the best rate",
              ["norm", "layer", "condition, start", "end", "effective rank, start", "end"], spectra),
    ]  # fmt: skip
    return [*out, Table("accuracy in small batches", ["norm", "batch", "evaluation mode", "training mode"], small)] if small else out


def findings(data: xr.Dataset) -> list[str]:
    """What each norm does to the limit, the accuracy and the spectra, and in small batches."""
    out: list[str] = []
    norms = [str(norm) for norm in data.norm.values]
    for norm in norms:
        row = data.sel(norm=norm)
        if norm == "none" or np.isnan(row.gain):
            continue
        told = "larger" if row.gain_low > 1 else "smaller" if row.gain_high < 1 else "not told apart"
        out.append(f"{norm}: the largest stable learning rate is {shown(row, 'gain')} times that without a norm: {told}.")
    if "none" in norms and len(norms) > 1:
        none = data.sel(norm="none")
        words = []
        for norm in norms:
            row = data.sel(norm=norm)
            better = row.best_accuracy_low > none.best_accuracy_high
            worse = row.best_accuracy_high < none.best_accuracy_low
            if norm != "none":
                text = "more" if better else "fewer" if worse else "as many, as far as the intervals tell"
                words.append(f"{norm} {float(row.best_accuracy):.0%} at {float(row.best_rate):g} ({text})")
        start = f"Right at the best rate: without a norm {float(none.best_accuracy):.0%} at {float(none.best_rate):g}; "
        out.append(start + "; ".join(words) + ".")
    last = data.isel(layer=-1)
    words = [
        f"{norm} {float(last['rank'].sel(norm=norm, end='start')):.2g} and {float(last['rank'].sel(norm=norm, end='end')):.2g}"
        for norm in norms
    ]
    out.append(f"Effective rank of the last hidden layer's activations before and after training: {', '.join(words)}.")
    return out + small_findings(data, norms)


def spoken(norms: list[str]) -> str:
    """Norms in words.

    >>> spoken(["none", "rms"]), spoken([])
    ('no norm, rms', 'nothing')
    """
    return ", ".join("no norm" if norm == "none" else norm for norm in norms) or "nothing"


def small_findings(data: xr.Dataset, norms: list[str]) -> list[str]:
    """Small batches: which norm beats batch statistics, and where the two modes differ."""
    out: list[str] = []
    for batch in data.batch.values:
        at = data.sel(batch=batch)
        if "batch" in norms:
            own = at.sel(norm="batch")
            ahead = [n for n in norms if n != "batch" and at.small_low.sel(norm=n) > own.small_high]
            behind = [n for n in norms if n != "batch" and at.small_high.sel(norm=n) < own.small_low]
            text = f"At batch {batch} batch normalization has {float(own.small):.0%} right; above its interval: {spoken(ahead)}"
            out.append(text + f"; below it: {spoken(behind)}.")
        apart = [n for n in norms if at.small_low.sel(norm=n) > at.small_own_high.sel(norm=n)
                 or at.small_high.sel(norm=n) < at.small_own_low.sel(norm=n)]  # fmt: skip
        if apart:
            each = ", ".join(f"{n} {float(at.small.sel(norm=n)):.0%} and {float(at.small_own.sel(norm=n)):.0%}" for n in apart)
            out.append(f"At batch {batch} evaluation and training mode differ: {each}.")
    return out


EXPERIMENT = Experiment(
    "normalization", NormalizationSpec, measure, count, tables, findings,
    {"full": NormalizationSpec(
        rates=[float(f"{x:.3g}") for x in np.geomspace(0.01, 100, 17)], refine=3, seeds=12, steps=500, training=2000, test=1000,
        batches=[1, 2, 4, 8, 16, 32], small_steps=4000,
    )},
)  # fmt: skip
