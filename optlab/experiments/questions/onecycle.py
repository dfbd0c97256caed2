"""One cycle of the learning rate for n epochs against other schedules for n, 2n, 5n and 10n epochs: is it as good in a tenth of the time?

A small residual network; every schedule takes its own best peak at every length, by a search over a grid on seeds of its own, and is
measured on fresh seeds, which it shares with the others: differences are paired. How many epochs a schedule needs for 1-cycle's accuracy
is read from the differences over the lengths (Smith & Topin, Super-convergence, 2018). Momentum is constant; theirs goes down and up.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from optlab.experiments.experiment import Experiment, Run, Table
from optlab.experiments.image_runs import Asked, ImageSpec, read_images, run_cell, seeds_of
from optlab.experiments.spec import Positive
from optlab.experiments.step_decay import STEP_DECAY
from optlab.experiments.swing import mean_interval
from optlab.expressions import Schedule

CONFIDENCE = 0.99
MEASURED = 500  #: place of the first fresh seed; those before it are the search's

Rival = Literal["cosine", "step", "constant"]


class OnecycleSpec(ImageSpec):
    """Which network, how long, which peaks, how many seeds."""

    data: str = "synthetic(training=1400, test=10, size=16)"
    training: Annotated[int, Field(ge=1)] = 320
    validation: Annotated[int, Field(ge=1)] = 1000
    batch: Annotated[int, Field(ge=1)] = 16
    model: str = "resnet8(width=8)"
    rivals: list[Rival] = Field(default=["cosine", "step", "constant"], min_length=1)
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 4  #: n, of 1-cycle
    multiples: list[Annotated[int, Field(ge=1, le=1000)]] = Field(default=[1, 2, 5, 10], min_length=1)
    rates: list[Positive] = Field(default=[0.03, 0.1, 0.3], min_length=1)
    searches: Annotated[int, Field(ge=1, le=MEASURED)] = 1  #: seeds of the search
    seeds: Annotated[int, Field(ge=2, le=500)] = 4  #: fresh ones
    augment: bool = True
    confidence: Annotated[float, Field(gt=0, lt=1)] = CONFIDENCE  #: of every interval


def count(spec: OnecycleSpec) -> int:
    """The search and the measurement; a constant rate's shorter lengths are the beginnings of its longest run in the search."""
    lengths = len(set(spec.multiples))
    searched = 1 + sum(1 if rival == "constant" else lengths for rival in spec.rivals)
    return searched * len(spec.rates) * spec.searches + (1 + len(spec.rivals) * lengths) * spec.seeds


def schedule_of(name: str) -> str | Schedule:
    """By the name that the experiment has for it."""
    return STEP_DECAY if name == "step" else name


def measure(spec: OnecycleSpec, run: Run) -> xr.Dataset:
    """Search, then measure on fresh seeds; the accuracies of all, their differences to 1-cycle, and the epochs to its accuracy."""
    images, source = read_images(spec)
    multiples = sorted(set(spec.multiples))
    places = [("one_cycle", 1), *((rival, multiple) for rival in spec.rivals for multiple in multiples)]

    def cell(name: str, epochs: int, alpha: float, seed: int, marks: tuple[int, ...]) -> Any:
        asked = Asked(
            spec.model, spec.rule, schedule_of(name), alpha, epochs, seed, spec.seed, spec.training, spec.validation, spec.batch,
            augment=spec.augment, marks=marks,
        )  # fmt: skip
        return run_cell(f"{name} at {alpha:g} for {epochs} epochs, seed {seed}", images, source, asked)

    lengths = {name: [multiples[-1]] if name == "constant" else [m for other, m in places if other == name] for name, _ in places}
    wanted = [(name, m, alpha, seed) for name, each in lengths.items() for m in each for alpha in spec.rates
              for seed in seeds_of(spec.seed, range(spec.searches))]  # fmt: skip
    found = run([
        cell(name, m * spec.epochs, alpha, seed, tuple(k * spec.epochs for k in (multiples if name == "constant" else [m])))
        for name, m, alpha, seed in wanted
    ])  # fmt: skip
    searched = np.zeros((len(places), len(spec.rates)))  # what diverged has learned nothing
    for (name, m, alpha, _), result in zip(wanted, found, strict=True):
        for place, (other, multiple) in enumerate(places):
            if other == name and (multiple == m or name == "constant"):
                value = float(result.mark_accuracy.sel(mark=multiple * spec.epochs))
                searched[place, spec.rates.index(alpha)] += np.nan_to_num(value) / spec.searches
    best = [spec.rates[int(k)] for k in searched.argmax(1)]
    seeds = seeds_of(spec.seed, range(MEASURED, MEASURED + spec.seeds))
    measured = run([
        cell(name, m * spec.epochs, alpha, seed, (m * spec.epochs,))
        for (name, m), alpha in zip(places, best, strict=True) for seed in seeds
    ])  # fmt: skip
    accuracy = np.nan_to_num(np.array([float(one.mark_accuracy[-1]) for one in measured])).reshape(len(places), spec.seeds)
    lost = np.array([int(one.diverged) for one in measured]).reshape(len(places), spec.seeds).sum(1)
    return labelled(spec, multiples, accuracy, np.array(best), searched, lost).assign_attrs(data=images.name)


def labelled(
    spec: OnecycleSpec, multiples: list[int], accuracy: np.ndarray, best: np.ndarray, searched: np.ndarray, lost: np.ndarray
) -> xr.Dataset:
    """The result from the accuracies (places, seeds), 1-cycle's first, and what the search chose."""
    shape = (len(spec.rivals), len(multiples))
    mean = np.clip([mean_interval(row, spec.confidence) for row in accuracy], 0, 1)
    gaps = (accuracy[1:] - accuracy[0]).reshape(*shape, -1)
    sure = 1 - (1 - spec.confidence) / len(multiples)  # all lengths of a schedule together
    bands = np.array([[mean_interval(gap, sure) for gap in row] for row in gaps])
    ratios = np.array([reached(multiples, band) for band in bands])
    over, end = ("schedule", "multiple"), f"of its interval, {spec.confidence:.0%} (Student's t over seeds)"
    variables: dict[str, Any] = {
        "accuracy": ((*over, "seed"), accuracy[1:].reshape(*shape, -1), {"long_name": "fraction right in validation after the last epoch"}),
        "one_cycle_accuracy": ("seed", accuracy[0], {"long_name": "the same of 1-cycle for n epochs"}),
        "gap": ((*over, "seed"), gaps, {"long_name": "accuracy less 1-cycle's, seed by seed"}),
        "alpha": (over, best[1:].reshape(shape), {"long_name": "peak of the highest accuracy in the search"}),
        "searched": ((*over, "rate"), searched[1:].reshape(*shape, -1), {"long_name": "accuracy in the search"}),
        "one_cycle_searched": ("rate", searched[0], {"long_name": "the same of 1-cycle"}),
        "diverged": (over, lost[1:].reshape(shape), {"long_name": "runs that diverged"}),
    }  # fmt: skip
    for k, part in enumerate(("mean", "low", "high")):
        variables[f"accuracy_{part}"] = (over, mean[1:, k].reshape(shape), {"long_name": f"{part} {end if k else 'over seeds'}"})
        variables[f"one_cycle_{part}"] = ((), mean[0, k], {"long_name": f"1-cycle's accuracy: {part} {end if k else 'over seeds'}"})
        variables[f"gap_{part}"] = (over, bands[..., k], {"long_name": f"difference to 1-cycle: {part}; all lengths together"})
        name = "ratio" if not k else f"ratio_{part}"
        variables[name] = ("schedule", ratios[:, k], {"long_name": "epochs to 1-cycle's accuracy over n; inf: more than was tried"})
    coords = {"schedule": list(spec.rivals), "multiple": multiples, "rate": spec.rates}
    about = {"epochs": spec.epochs, "one_cycle_alpha": float(best[0]), "model": spec.model, "confidence": spec.confidence}
    return xr.Dataset(variables, coords, about)


def reached(multiples: list[int], band: np.ndarray) -> tuple[float, float, float]:
    """(value, low, high) of the multiple at which a difference comes to 0, from its mean and interval (lengths, 3) at every length.

    Where mean, upper and lower end first come to 0, each linear in log(multiple) between the lengths. Reached at the first length: 0 as
    the lower end, which may lie anywhere below. Not reached: infinity.

    >>> reached([1, 10], np.array([[-0.2, -0.3, -0.1], [0.2, 0.1, 0.3]]))[0] == 10**0.5
    True
    >>> reached([1, 2], np.array([[-0.2, -0.3, -0.1], [-0.1, -0.2, 0.1]]))[2]
    inf
    """
    value, low, high = (crossing(multiples, band[:, k]) for k in (0, 2, 1))
    return value, 0.0 if band[0, 2] >= 0 else low, high


def crossing(multiples: list[int], gap: np.ndarray) -> float:
    """The multiple at which a gap first comes to 0."""
    if not gap[0] < 0:
        return float(multiples[0]) if gap[0] >= 0 else float("nan")
    for k in range(1, len(multiples)):
        if gap[k] >= 0:
            part = -gap[k - 1] / (gap[k] - gap[k - 1])
            return float(np.exp((1 - part) * np.log(multiples[k - 1]) + part * np.log(multiples[k])))
    return float("inf")


def tables(data: xr.Dataset) -> list[Table]:
    """A row per schedule and length; the epochs to 1-cycle's accuracy."""
    n = int(data.attrs["epochs"])
    peak = f"{data.attrs['one_cycle_alpha']:g}"
    rows = [["one_cycle", str(n), peak, percent(data.one_cycle_mean, data.one_cycle_low, data.one_cycle_high), "-"]]
    for schedule in data.schedule.values:
        for multiple in data.multiple.values:
            at = data.sel(schedule=schedule, multiple=multiple)
            told = percent(at.accuracy_mean, at.accuracy_low, at.accuracy_high), percent(at.gap_mean, at.gap_low, at.gap_high)
            rows.append([str(schedule), str(n * int(multiple)), f"{float(at.alpha):g}", *told])
    needed = [
        [str(schedule), *(needs(float(data[name].sel(schedule=schedule)), n) for name in ("ratio", "ratio_low", "ratio_high"))]
        for schedule in data.schedule.values
    ]
    return [
        Table("accuracy, %, at each schedule's best peak", ["schedule", "epochs", "peak", "accuracy", "less 1-cycle's"], rows),
        Table(f"epochs to 1-cycle's accuracy at {n}", ["schedule", "epochs", "at least", "at most"], needed),
    ]


def percent(mean: Any, low: Any, high: Any) -> str:
    """A fraction with its interval, in percent."""
    return f"{100 * float(mean):.1f} [{100 * float(low):.1f}, {100 * float(high):.1f}]"


def needs(ratio: float, n: int) -> str:
    """Epochs, in words where there is no number."""
    return "not reached" if np.isinf(ratio) else f"{ratio * n:.3g}" if ratio else "-"


def findings(data: xr.Dataset) -> list[str]:
    """How good 1-cycle is, how many epochs the others need for it, which is best at each length, ends of the grid."""
    n = int(data.attrs["epochs"])
    out = [f"1-cycle has {percent(data.one_cycle_mean, data.one_cycle_low, data.one_cycle_high)} % right after {n} epochs."]
    for schedule in data.schedule.values:
        value, low, high = (float(data[name].sel(schedule=schedule)) for name in ("ratio", "ratio_low", "ratio_high"))
        most = int(data.multiple.max())
        if np.isinf(value):
            text = f"does not come to it within {most} times as many epochs"
        elif value <= float(data.multiple.min()):
            text = "has no less after as few" + ("" if high <= value else f", or {high:.3g} times as many at most, by its interval")
        else:
            text = f"needs {value:.3g} times as many [{low:.3g}, {high:.3g}]"
        out.append(f"{schedule} {text}.")
    for multiple in data.multiple.values:
        at = data.sel(multiple=multiple)
        k = int(np.argmax(at.accuracy_mean.values))
        ties = [str(s) for i, s in enumerate(at.schedule.values) if i != k and at.accuracy_high[i] >= at.accuracy_low[k]]
        tied = f"; {', '.join(ties)} cannot be told from it" if ties else ""
        out.append(f"After {n * int(multiple)} epochs {at.schedule.values[k]} is best with {100 * float(at.accuracy_mean[k]):.1f} %{tied}.")
    ends = (data.rate.values[0], data.rate.values[-1])
    at_end = [str(s) for s in data.schedule.values if np.isin(data.alpha.sel(schedule=s).values, ends).any()]
    at_end += ["one_cycle"] if data.attrs["one_cycle_alpha"] in ends else []
    if at_end:
        out.append(f"The best peak is an end of the grid somewhere for {', '.join(at_end)}: widen rates.")
    return out


EXPERIMENT = Experiment(
    "onecycle", OnecycleSpec, measure, count, tables, findings,
    {"full": OnecycleSpec(
        data="synthetic(training=4000, test=10, size=16)", training=2000, validation=2000, rates=[0.01, 0.03, 0.1, 0.3, 1.0],
        searches=3, seeds=10, epochs=5,
    )},
)  # fmt: skip
