"""Does a transformer need warmup: which share of runs learns, by the peak learning rate, with warmup and without it.

A small encoder says sequences of random words backwards, which attention alone can do. Its norms stand behind the residual sums (post) or
before attention and perceptron (pre). With and without warmup the peak, the number of steps, the start and the batches are the same.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field, model_validator
from scipy import stats

from optlab import rules, schedules
from optlab.experiments.encoder_runs import MEASURES, encoder_cell
from optlab.experiments.experiment import Experiment, ExperimentSpec, Run, Table
from optlab.experiments.spec import Count, Positive
from optlab.experiments.sweep import Cell
from optlab.expressions import Schedule
from optlab.nn.transformer import Encoder

CONFIDENCE = 0.99
SHARE = 0.9  #: of the runs: where a rate counts as one that works
Place = Literal["post", "pre"]


class AttentionSpec(ExperimentSpec):
    """Which encoder, which optimizer, which peaks, how long a warmup, how many runs."""

    rule: str = "adam"
    places: list[Place] = Field(default=["post", "pre"], min_length=1)
    norm: Literal["layer", "rms", "none"] = "layer"
    peaks: list[Positive] = Field(default=[0.01, 0.03, 0.1], min_length=1)
    warmup: Annotated[int, Field(ge=1)] = 50  #: steps of the rise, beside none
    decay: Literal["cosine", "constant"] = "cosine"  #: what follows
    steps: Annotated[int, Field(ge=2, le=1_000_000)] = 300
    runs: Annotated[int, Field(ge=2, le=100_000)] = 10
    batch: Count = 32
    vocabulary: Count = 8
    tokens: Count = 8
    width: Count = 16
    heads: Count = 2
    hidden: Count = 64
    blocks: Count = 2
    learned: Annotated[float, Field(gt=0, lt=1)] = 0.5  #: of the loss of chance: below it at the end, a run has learned

    @model_validator(mode="after")
    def _fits(self) -> AttentionSpec:
        if self.warmup >= self.steps:
            raise ValueError(f"warmup = {self.warmup} leaves nothing of steps = {self.steps}")
        return self


def chance(spec: AttentionSpec) -> float:
    """The loss of guessing: all words alike."""
    return float(np.log(spec.vocabulary))


def model_of(spec: AttentionSpec, place: str) -> dict[str, Any]:
    """The encoder's options."""
    sizes = {name: getattr(spec, name) for name in ("vocabulary", "tokens", "width", "heads", "hidden", "blocks", "norm")}
    return sizes | {"norm_place": place}


def schedule_of(spec: AttentionSpec, warmup: int, peak: float) -> Schedule:
    """The schedule of this peak; a floor at the peak makes the cosine constant."""
    options: dict[str, Any] = {"peak": peak, "steps": spec.steps, "floor": peak if spec.decay == "constant" else 0}
    return schedules.get("warmup_cosine", warmup=warmup, **options) if warmup else schedules.get("cosine", **options)


def cell(spec: AttentionSpec, place: str, warmup: int, peak: float) -> Cell:
    """All runs of one setting."""
    asked = {
        "model": model_of(spec, place), "schedule": schedule_of(spec, warmup, peak).label(), "steps": spec.steps,
        "batch": spec.batch, "first": spec.warmup, "threshold": spec.learned * chance(spec), "runs": spec.runs, "seed": spec.seed,
    }  # fmt: skip
    return encoder_cell(f"{place}-norm, {f'warmup {warmup}' if warmup else 'no warmup'}, peak {peak:g}", rules.get(spec.rule), asked)


def count(spec: AttentionSpec) -> int:
    """Every place of the norm, with warmup and without, at every peak."""
    return len(spec.places) * 2 * len(spec.peaks)


def measure(spec: AttentionSpec, run: Run) -> xr.Dataset:
    """Outcomes by place, warmup, peak and run; shares with intervals; the largest peaks at which runs learn."""
    for place in spec.places:
        Encoder(**model_of(spec, place))  # says what does not fit before anything runs
    warmups = [0, spec.warmup]
    found = run([cell(spec, place, warmup, peak) for place in spec.places for warmup in warmups for peak in spec.peaks])
    shape, over = (len(spec.places), 2, len(spec.peaks)), ("place", "warmup", "peak")
    each = {name: np.array([one[name].values for one in found]).reshape(*shape, spec.runs) for name in MEASURES}
    outcome = np.array([outcome_of(spec, x) for x in each["last_loss"].ravel()]).reshape(*shape, spec.runs)
    learned = (outcome == "learned").sum(-1)
    low, high = np.array([interval(int(k), spec.runs) for k in learned.ravel()]).reshape(*shape, 2).transpose(3, 0, 1, 2)
    with np.errstate(all="ignore"):
        middle = {name: np.median(np.where(np.isnan(values), np.inf, values), -1) for name, values in each.items()}
    said = f"{CONFIDENCE:.0%} (Clopper and Pearson)"
    variables: dict[str, Any] = {name: ((*over, "run"), each[name], {"long_name": text}) for name, text in MEASURES.items()}
    variables |= {
        "outcome": ((*over, "run"), outcome, {"long_name": "what became of the run"}),
        "learned": (over, learned / spec.runs, {"long_name": f"share of the runs that end below {spec.learned:g} of the loss of chance"}),
        "learned_low": (over, low, {"long_name": f"lower end of its interval, {said}"}),
        "learned_high": (over, high, {"long_name": f"upper end of its interval, {said}"}),
        "diverged": (over, (outcome == "diverged").mean(-1), {"long_name": "share that diverged: not finite, or above twice chance"}),
        "steps_median": (over, middle["reached"], {"long_name": "median first step below the threshold; infinite: beyond the budget"}),
        "largest": (over[:2], largest(learned / spec.runs, np.array(spec.peaks)), {
            "long_name": f"largest peak of the grid at which at least {SHARE:.0%} of the runs learn; nan: none"}),
    }  # fmt: skip
    coords = {
        "place": spec.places, "warmup": ("warmup", warmups, {"long_name": "steps of warmup", "units": "steps"}),
        "peak": ("peak", spec.peaks, {"long_name": "peak learning rate"}),
    }  # fmt: skip
    return xr.Dataset(variables, coords, {"chance": chance(spec), "rule": spec.rule, "runs": spec.runs})


def outcome_of(spec: AttentionSpec, loss: float) -> str:
    """By the validation loss after the last step: learned, stuck, or diverged (not finite, or above twice the loss of chance).

    >>> [outcome_of(AttentionSpec(), loss) for loss in (0.1, 2.0, 5.0, float("nan"))]
    ['learned', 'stuck', 'diverged', 'diverged']
    """
    if not loss <= 2 * chance(spec):
        return "diverged"
    return "learned" if loss < spec.learned * chance(spec) else "stuck"


def interval(k: int, n: int) -> tuple[float, float]:
    """Clopper and Pearson's interval of a probability from k of n."""
    found = stats.binomtest(k, n).proportion_ci(CONFIDENCE, "exact")
    return float(found.low), float(found.high)


def largest(shares: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """The largest peak whose share is at least SHARE, along the last axis; nan where there is none.

    >>> largest(np.array([[1.0, 0.9, 0.2], [0.0, 0.1, 0.0]]), np.array([1.0, 2.0, 3.0])).tolist()
    [2.0, nan]
    """
    worked = np.where(shares >= SHARE, peaks, -np.inf).max(-1)
    return np.where(np.isfinite(worked), worked, np.nan)


def tables(data: xr.Dataset) -> list[Table]:
    """The outcomes, and the first steps."""
    outcomes, early = [], []
    for place in data.place.values:
        for warmup in data.warmup.values:
            for peak in data.peak.values:
                row = data.sel(place=place, warmup=warmup, peak=peak)
                named = [str(place), str(warmup), f"{peak:g}"]
                share = f"{float(row.learned):.2f} [{float(row.learned_low):.2f}, {float(row.learned_high):.2f}]"
                stuck = 1 - float(row.learned) - float(row.diverged)
                steps = "not reached" if np.isinf(row.steps_median) else f"{float(row.steps_median):.0f}"
                outcomes.append([*named, share, f"{stuck:.2f}", f"{float(row.diverged):.2f}", steps])
                medians = [median(row[name].values) for name in ("step_size", "moved", "worst", "noise_start", "noise_early")]
                early.append([*named, *(f"{value:.3g}" for value in medians)])
    setting = ["norm", "warmup", "peak"]
    return [
        Table("what became of the runs", [*setting, "learned", "stuck", "diverged", "median steps"], outcomes),
        Table("the first steps, medians over runs", [*setting, "step / weights", "moved", "worst loss", "noise at start", "after"], early),
    ]


def median(values: np.ndarray) -> float:
    """Of the runs that have the number."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def findings(data: xr.Dataset) -> list[str]:
    """Where warmup changes the share, the largest rates, and what the first steps do."""
    out = []
    none, some = data.isel(warmup=0), data.isel(warmup=1)
    for place in data.place.values:
        helped, hurt = [], []
        for peak in data.peak.values:
            a, b = none.sel(place=place, peak=peak), some.sel(place=place, peak=peak)
            text = f"{peak:g} ({float(a.learned):.0%} without, {float(b.learned):.0%} with)"
            if b.learned_low > a.learned_high:
                helped.append(text)
            elif a.learned_low > b.learned_high:
                hurt.append(text)
        words = [f"more runs learn with warmup at peak {', '.join(helped)}"] if helped else []
        words += [f"fewer do at peak {', '.join(hurt)}"] if hurt else []
        said = "; ".join(words) or "the intervals of the shares with and without warmup overlap at every peak"
        out.append(f"{place}-norm: {said}.")
        rates = [float(one.largest.sel(place=place)) for one in (none, some)]
        known = ["at no peak of the grid" if np.isnan(rate) else f"up to {rate:g}" for rate in rates]
        out.append(f"{place}-norm: at least {SHARE:.0%} of the runs learn {known[0]} without warmup, {known[1]} with it.")
    peak = float(data.peak.max())
    for place in data.place.values:
        far = [median(one.moved.sel(place=place, peak=peak).values) for one in (none, some)]
        if np.isfinite(far).all():
            first = int(data.warmup.values[1])
            out.append(
                f"{place}-norm, peak {peak:g}: the first {first} steps carry the weights {far[0]:.2g} times their own norm without warmup, "
                f"{far[1]:.2g} times with it."
            )
    lost = int((data.outcome == "diverged").sum())
    out.append(f"{lost} of {data.outcome.size} runs diverged; what does not learn otherwise stays near the loss of chance.")
    return out


EXPERIMENT = Experiment(
    "attention", AttentionSpec, measure, count, tables, findings,
    {"full": AttentionSpec(peaks=[0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2], runs=40, blocks=4, steps=400)},
)  # fmt: skip
