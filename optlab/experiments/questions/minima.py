"""Many seeds of one perceptron trained to the end, by width: how alike are the minima that they find, and what lies between them?

Final training losses and validation accuracies are compared over seeds, which differ in their initial weights and the order of the images
and in nothing else. Between pairs of solutions stand their distance and the barrier, the most by which the loss on the straight line
between them lies above its ends (Frankle et al., ICML 2020), both as found and after the hidden units of one are put in the order nearest
to the other's (Entezari et al., ICLR 2022). Pairs share no seed. The weights of every seed are kept in its cell.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import xarray as xr
from pydantic import Field
from scipy.special import chdtri

from optlab.experiments.experiment import Experiment, Run, Table
from optlab.experiments.image_runs import Asked, ImageSpec, read_images, run_cell, seeds_of
from optlab.experiments.minima_line import KINDS, line_cell
from optlab.experiments.spec import Positive
from optlab.experiments.swing import mean_interval

CONFIDENCE = 0.99


class MinimaSpec(ImageSpec):
    """Which perceptrons, how many seeds, how long at most."""

    data: str = "synthetic(training=14000, test=10, size=8)"
    training: Annotated[int, Field(ge=1)] = 2000
    validation: Annotated[int, Field(ge=1)] = 12_000  #: many: the spread over seeds is not to be that of a small sample
    widths: list[Annotated[int, Field(ge=1, le=4096)]] = Field(default=[8, 32, 128], min_length=1)  #: units of each hidden layer
    layers: Annotated[int, Field(ge=1, le=8)] = 2  #: hidden layers
    seeds: Annotated[int, Field(ge=2, le=900)] = 12
    alpha: Positive = 0.05  #: peak of a cosine over ``epochs``
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 30  #: at most
    goal: Positive = 0.01  #: training loss at which a run ends
    batch: Annotated[int, Field(ge=1)] = 100
    points: Annotated[int, Field(ge=3, le=1001)] = 11  #: of the line between two solutions


def count(spec: MinimaSpec) -> int:
    """Every seed of every width, and a line for every pair."""
    return len(spec.widths) * (spec.seeds + spec.seeds // 2)


def asked_of(spec: MinimaSpec, width: int, seed: int) -> Asked:
    """The run of one seed at one width."""
    model = f"mlp(hidden=[{', '.join([str(width)] * spec.layers)}])"
    return Asked(
        model, spec.rule, "cosine", spec.alpha, spec.epochs, seed, spec.seed, spec.training, spec.validation, spec.batch,
        goal=spec.goal, keep=True,
    )  # fmt: skip


def measure(spec: MinimaSpec, run: Run) -> xr.Dataset:
    """The ends of all runs, then the lines between pairs of them."""
    images, source = read_images(spec)
    seeds = seeds_of(spec.seed, range(spec.seeds))
    wanted = [(width, seed) for width in spec.widths for seed in seeds]
    cells = [run_cell(f"width {width}, seed {seed}", images, source, asked_of(spec, width, seed)) for width, seed in wanted]
    ends = run(cells)
    pairs = [(w * spec.seeds + 2 * k, w * spec.seeds + 2 * k + 1) for w in range(len(spec.widths)) for k in range(spec.seeds // 2)]
    lines = run([
        line_cell(
            f"width {wanted[a][0]}, seeds {wanted[a][1]} and {wanted[b][1]}", images, source, (cells[a], cells[b]), (ends[a], ends[b]),
            replace(asked_of(spec, *wanted[a]), goal=None), spec.points,
        )
        for a, b in pairs
    ])  # fmt: skip
    shape = (len(spec.widths), spec.seeds)
    over = ("width", "seed")
    about = {
        "train_loss": "training loss at the end", "validation_loss": "validation loss at the end",
        "validation_accuracy": "fraction right on the validation part at the end", "start_loss": "training loss at the start",
        "steps": "steps until the end", "gradient_norm": "norm of the gradient of the training loss at the end",
        "diverged": "1: the loss ceased to be finite",
    }  # fmt: skip
    variables: dict[str, Any] = {
        name: (over, np.array([float(end[name]) for end in ends]).reshape(shape), {"long_name": says}) for name, says in about.items()
    }
    for name in ("train_loss", "validation_loss", "validation_accuracy"):
        rows = variables[name][1]
        low, mid, high = np.transpose([spread(row) for row in rows])
        said = f"standard deviation over seeds: {about[name]}"
        ends_of = f"of its interval, {CONFIDENCE:.0%} (chi-square: as if normal over seeds)"
        variables[f"{name}_spread"] = ("width", mid, {"long_name": said})
        variables[f"{name}_spread_low"] = ("width", low, {"long_name": f"lower end {ends_of}"})
        variables[f"{name}_spread_high"] = ("width", high, {"long_name": f"upper end {ends_of}"})
    between = ("width", "pair", "kind")
    sizes = (len(spec.widths), spec.seeds // 2, len(KINDS))
    says = {
        "distance": "distance of two solutions over the root mean square of their norms; sqrt(2): at right angles",
        "barrier": "most of the training loss on the line above its ends",
    }
    for name, long_name in says.items():
        values = np.array([line[name].values for line in lines]).reshape(sizes)
        variables[name] = (between, values, {"long_name": long_name})
        bounds = np.array([[mean_interval(values[w, :, k], CONFIDENCE) for k in range(len(KINDS))] for w in range(sizes[0])])
        for place, part in enumerate(("mean", "low", "high")):
            about_part = {"long_name": f"{part} over pairs (Student's t, {CONFIDENCE:.0%})"}
            variables[f"{name}_{part}"] = (("width", "kind"), bounds[..., place], about_part)
    middle = np.array([line.middle_accuracy.values for line in lines]).reshape(sizes)
    variables["middle_accuracy"] = (between, middle, {"long_name": "fraction right in validation half way between two solutions"})
    along = np.array([line.loss.values for line in lines]).reshape(*sizes, spec.points)
    variables["line_loss"] = ((*between, "s"), along, {"long_name": "training loss on the line"})
    coords = {"width": spec.widths, "seed": seeds, "kind": list(KINDS), "s": np.linspace(0, 1, spec.points)}
    return xr.Dataset(variables, coords, {"data": images.name, "layers": spec.layers, "goal": spec.goal})


def spread(values: np.ndarray, confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """(low, standard deviation, high) of independent normal numbers, by chi-square; nan with fewer than two.

    >>> [round(x, 2) for x in spread(np.arange(10.0), 0.95)]  # 9 degrees of freedom: chi-square from 2.700 to 19.023
    [2.08, 3.03, 5.53]
    """
    if len(values) < 2:
        return float("nan"), float("nan"), float("nan")
    free, found = len(values) - 1, float(np.std(values, ddof=1))
    low, high = (found * float(np.sqrt(free / chdtri(free, tail))) for tail in ((1 - confidence) / 2, (1 + confidence) / 2))
    return low, found, high


def tables(data: xr.Dataset) -> list[Table]:
    """The ends by width, and what lies between them."""
    ends, lines = [], []
    for width in data.width.values:
        row = data.sel(width=width)
        reached = int((row.train_loss <= data.attrs["goal"]).sum())
        ends.append([
            str(width), f"{reached} of {row.sizes['seed']}", f"{float(row.start_loss.mean()):.3g}", pm(row, "train_loss", 1, ".3g"),
            pm(row, "validation_loss", 1, ".3g"), pm(row, "validation_accuracy", 100, ".2f"),
            f"[{100 * float(row.validation_accuracy_spread_low):.2f}, {100 * float(row.validation_accuracy_spread_high):.2f}]",
            f"{float(row.gradient_norm.median()):.2g}",
        ])  # fmt: skip
        for kind in data.kind.values:
            at = row.sel(kind=kind)
            interval = (f"{float(at[f'{name}_mean']):.3g} [{float(at[f'{name}_low']):.3g}, {float(at[f'{name}_high']):.3g}]"
                        for name in ("distance", "barrier"))  # fmt: skip
            lines.append([str(width), str(kind), *interval, f"{100 * float(at.middle_accuracy.mean()):.1f}"])
    return [
        Table(
            "the ends: mean and standard deviation over seeds",
            ["width", "goal reached", "start loss", "training loss", "validation loss", "accuracy, %", "its deviation, interval",
             "gradient norm"], ends,
        ),
        Table("between pairs of ends", ["width", "hidden units", "distance", "barrier", "accuracy half way, %"], lines, (0, 1)),
    ]  # fmt: skip


def pm(row: xr.Dataset, name: str, factor: float, form: str) -> str:
    """Mean and standard deviation over seeds."""
    return f"{factor * float(row[name].mean()):{form}} ± {factor * float(row[f'{name}_spread']):{form}}"


def findings(data: xr.Dataset) -> list[str]:
    """How alike the ends are, by width; how far apart, and what matching takes away."""
    out = []
    for width in data.width.values:
        row = data.sel(width=width)
        drop = float((row.start_loss - row.train_loss).mean())
        out.append(
            f"Width {width}: over {row.sizes['seed']} seeds the final accuracy has a standard deviation of "
            f"{100 * float(row.validation_accuracy_spread):.2f} points about {100 * float(row.validation_accuracy.mean()):.1f} %, the "
            f"final training loss one of {float(row.train_loss_spread) / drop:.2%} of its drop."
        )
    wide = data.isel(width=int(np.argmax(data.width.values)))
    raw, same = (wide.sel(kind=kind) for kind in KINDS)
    out.append(
        f"At width {int(wide.width)} two solutions are {float(raw.distance_mean):.3g} of their norm apart (at right angles: 1.41), "
        f"{float(same.distance_mean):.3g} with their units matched."
    )
    for width in data.width.values:
        a, b = (data.sel(width=width, kind=kind) for kind in KINDS)
        if b.barrier_high < a.barrier_low:
            text = f"falls from {float(a.barrier_mean):.3g} to {float(b.barrier_mean):.3g} once hidden units are matched"
        elif b.barrier_low > a.barrier_high:
            text = f"rises from {float(a.barrier_mean):.3g} to {float(b.barrier_mean):.3g} once hidden units are matched"
        else:
            text = f"is {float(a.barrier_mean):.3g}, and {float(b.barrier_mean):.3g} with hidden units matched: the intervals overlap"
        out.append(f"Width {width}: the barrier on the straight line {text}.")
    short = [str(width) for width in data.width.values if not float(data.train_loss.sel(width=width).min()) <= data.attrs["goal"]]
    if short:
        out.append(f"No seed reached a training loss of {data.attrs['goal']:g} at width {', '.join(short)}: the steps ran out.")
    return out


EXPERIMENT = Experiment(
    "minima", MinimaSpec, measure, count, tables, findings,
    {"full": MinimaSpec(widths=[4, 8, 16, 32, 64, 128, 256, 512], seeds=40, epochs=200, points=25)},
)  # fmt: skip
