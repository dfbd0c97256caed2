"""Which optimizer with which schedule trains best? Every setting of a grid as a cell, then each rule's best setting on more seeds.

Settings are compared by validation accuracy at the best epoch, averaged over seeds; the test part is looked at once, for the winner.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import t as student

from optlab import data as data_room
from optlab import rules
from optlab.data.images import ImageData
from optlab.errors import InputError, Interrupted
from optlab.experiments.grid_cells import Source, tested, trained
from optlab.experiments.grid_spec import GridSpec
from optlab.experiments.store import Store
from optlab.experiments.sweep import Cell, Computer, Progress, Runner, engine_fingerprint
from optlab.expressions import Schedule
from optlab.nn.trainer import check_precision, chosen_backend
from optlab.training.rates import fitted

BASELINE_RATES = (0.001, 0.003, 0.01)


@dataclass(frozen=True)
class Setting:
    """One point of the grid."""

    model: str
    rule: str
    schedule: str
    alpha: float

    def label(self) -> str:
        """Such as ``adam, cosine, 0.01``."""
        return f"{self.rule}, {self.schedule}, {self.alpha:g}"


@dataclass(frozen=True)
class Entry:
    """A setting with its runs, one per seed."""

    setting: Setting
    seeds: tuple[int, ...]
    runs: tuple[xr.Dataset, ...]

    @cached_property
    def best(self) -> np.ndarray:
        """Validation accuracy of each run at its best epoch; 0 where there is none."""
        return np.array([float(np.nan_to_num(np.nanmax(np.r_[0.0, run.validation_accuracy.values]))) for run in self.runs])

    @cached_property
    def last(self) -> np.ndarray:
        """Validation accuracy of each run after its last epoch; nan for a run that diverged."""
        return np.array([float(run.validation_accuracy[-1]) for run in self.runs])

    @property
    def diverged(self) -> int:
        """Runs that diverged."""
        return sum(int(run.diverged_at) >= 0 for run in self.runs)


@dataclass(frozen=True)
class Difference:
    """How much better the winner is than another final: the mean over seeds of paired differences, with its interval."""

    other: Entry
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Grid:
    """A finished grid."""

    spec: GridSpec
    data: str
    sizes: dict[str, int]
    entries: tuple[Entry, ...]  #: every setting, on ``spec.seeds``
    finals: tuple[Entry, ...]  #: each model's and rule's best setting on all seeds, best first
    baseline: Entry | None  #: a linear softmax on the same images
    differences: tuple[Difference, ...]  #: of the first final to the others
    tests: tuple[tuple[float, float], ...]  #: test loss and accuracy of each run of the winner, at its best epoch
    parameters: dict[str, int]  #: of each model

    @property
    def winner(self) -> Entry:
        """The best of the finals."""
        return self.finals[0]


def run_grid(
    spec: GridSpec, *, folder: str | os.PathLike[str] | None = None, store: Store | None = None, threads: int | None = None,
    backend: str = "cpu", progress: Progress | None = None, cluster: Computer | None = None,
) -> tuple[Grid, Runner]:  # fmt: skip
    """Run every cell of the grid that is not in the store; returns the results, and the runner with its counts.

    Interrupted, finished cells are in the store and the cell under way has its checkpoint beside them: the same call goes on. The
    workers of a ``cluster`` read the images from ``folder``, if they have it, or their own ``$OPTLAB_DATA``, and keep no checkpoint.
    """
    images = data_room.get(spec.data, folder=folder, label=spec.label)
    place = chosen_backend(backend)
    check_precision(spec.precision, place)
    bench = _Bench(spec, images, folder, store, threads, progress, cluster, place)
    settings = [Setting(model, *point) for model in spec.models for point in spec.points]
    names = list(dict.fromkeys(setting.rule for setting in settings))
    parameters = {model: bench.parameters(model) for model in spec.models}  # wrong names fail here, before any work
    for setting in settings:
        rules.get(setting.rule)
        bench.schedule(setting, spec.epochs, spec.seeds[0])
    seeds = tuple(dict.fromkeys([*spec.seeds, *spec.final_seeds]))
    groups = len(spec.models) * len(names)
    repeated = len(seeds) if spec.last_epochs != spec.epochs else len(seeds) - len(spec.seeds)
    bench.run.total = len(settings) * len(spec.seeds) + groups * repeated + len(seeds) + (2 * len(BASELINE_RATES) if spec.baseline else 0)
    baseline = bench.baseline() if spec.baseline else None
    entries = bench.entries(settings, tuple(spec.seeds), spec.epochs)
    finalists = [_best(e for e in entries if (e.setting.model, e.setting.rule) == (m, r)) for m in spec.models for r in names]
    finals = bench.entries([entry.setting for entry in finalists], seeds, spec.last_epochs)
    finals = sorted(finals, key=lambda entry: -float(entry.best.mean()))
    tests = tuple(bench.test(finals[0].setting, seed, run) for seed, run in zip(seeds, finals[0].runs, strict=True))
    gaps = tuple(difference(finals[0], entry, len(finals) - 1) for entry in finals[1:])
    grid = Grid(spec, images.name, bench.sizes, tuple(entries), tuple(finals), baseline, gaps, tests, parameters)
    return grid, bench.run


def difference(one: Entry, other: Entry, comparisons: int = 1) -> Difference:
    """Paired by seed. Student's interval, so wide that all ``comparisons`` hold at once with 95 % (Bonferroni); nan with one seed."""
    gaps = one.best - other.best
    half = float("nan")
    if len(gaps) > 1:
        half = float(student.ppf(1 - 0.025 / comparisons, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps)))
    mean = float(gaps.mean())
    return Difference(other, mean, mean - half, mean + half)


def _best(entries: Any) -> Entry:
    return max(entries, key=lambda entry: float(entry.best.mean()))


class _Bench:
    """The images, the store and the runner that cells are made for."""

    def __init__(
        self, spec: GridSpec, images: ImageData, folder: str | os.PathLike[str] | None, store: Store | None, threads: int | None,
        progress: Progress | None, cluster: Computer | None, backend: str,
    ) -> None:  # fmt: skip
        self.spec, self.images, self.store, self.threads, self.backend = spec, images, store, threads, backend
        self.source = Source(spec.data, None if folder is None else str(folder), spec.label, images.fingerprint)
        self.progress = progress
        self.run = Runner(store, progress, cluster=cluster)
        kept = max(1, len(images.training) // 10) if spec.validation is None else spec.validation
        used = len(images.training) - kept if spec.training is None else spec.training
        self.sizes = {"training": used, "validation": kept, "test": len(images.test)}
        if used < spec.batch:
            raise InputError(f"batch = {spec.batch} is more than the {used} training images")
        self.steps = used // spec.batch

    def schedule(self, setting: Setting, epochs: int, seed: int) -> Schedule:
        return fitted(setting.schedule, steps=epochs * self.steps, alpha=setting.alpha)

    def entries(self, settings: Sequence[Setting], seeds: tuple[int, ...], epochs: int) -> list[Entry]:
        """Every setting on every seed; the first seed of all settings comes first."""
        runs = self.run([self.cell(setting, seed, epochs) for seed in seeds for setting in settings])
        of = {(setting, seed): run for (seed, setting), run in zip(product(seeds, settings), runs, strict=True)}
        return [Entry(setting, seeds, tuple(of[setting, seed] for seed in seeds)) for setting in settings]

    def baseline(self) -> Entry:
        """The best of a few linear softmax models on the same images, on the first seed."""
        spec, seed = self.spec, self.spec.seeds[0]
        settings = [Setting("logistic", "momentum", "warmup_cosine", rate) for rate in BASELINE_RATES]
        chosen = list(product((False, True), settings))
        runs = self.run(
            [self.cell(setting, seed, spec.last_epochs, augment=augment, probe=0, precision="full") for augment, setting in chosen]
        )
        return _best(Entry(setting, (seed,), (run,)) for (_, setting), run in zip(chosen, runs, strict=True))

    def asked(self, setting: Setting, seed: int, epochs: int, **options: Any) -> dict[str, Any]:
        """What ``prepare`` is asked for, images apart."""
        spec = self.spec
        return {
            "model": setting.model, "rule": rules.get(setting.rule), "schedule": setting.schedule, "alpha": setting.alpha, "epochs": epochs,
            "batch": spec.batch, "rng": seed, "training": self.sizes["training"], "validation": self.sizes["validation"],
            "decay_all": spec.decay_all, "dtype": spec.dtype, "augment": spec.augment, "probe": spec.probe, "backend": self.backend,
            "precision": spec.precision,
        } | options  # fmt: skip

    def cell(self, setting: Setting, seed: int, epochs: int, **options: Any) -> Cell:
        spec = self.spec
        asked = self.asked(setting, seed, epochs, **options)
        rule, schedule = rules.get(setting.rule), self.schedule(setting, epochs, seed)
        identity = {
            "kind": "training", "engine": training_fingerprint(), "model": setting.model, "data": self.images.fingerprint,
            "data_name": self.images.name, "rule": rule.label(), "rule_fingerprint": rule.fingerprint, "schedule": schedule.label(),
            "schedule_fingerprint": schedule.fingerprint, "alpha": setting.alpha, "epochs": epochs, "batch": spec.batch, "seed": seed,
            "decay_all": spec.decay_all, "dtype": spec.dtype, **self.sizes, "augment": asked["augment"], "probe": asked["probe"],
            **({} if self.backend == "cpu" else {"backend": self.backend}),
            **({} if asked["precision"] == "full" else {"precision": asked["precision"]}),
        }  # fmt: skip
        name = f"{setting.model} {setting.label()}, seed {seed}"

        def compute() -> xr.Dataset:
            part = None
            if self.store is not None:
                part = self.store.path(identity).with_suffix(".part")
                part.parent.mkdir(parents=True, exist_ok=True)
            try:
                out = trained(self.images, asked, threads=self.threads, checkpoint=part, progress=self._told(name))
            except Interrupted as error:
                raise Interrupted(f"{str(error).partition(';')[0]} of {name}; what is done is kept: the same command goes on") from None
            if part is not None:
                part.unlink(missing_ok=True)
            return out

        return Cell(name, identity, compute, elsewhere=partial(trained, self.source, asked))

    def test(self, setting: Setting, seed: int, run: xr.Dataset) -> tuple[float, float]:
        """Test loss and accuracy at the best epoch's weights: the one look at the test part."""
        trained_cell, asked = self.cell(setting, seed, self.spec.last_epochs), self.asked(setting, seed, self.spec.last_epochs)
        identity = {"kind": "test", "of": trained_cell.spec}
        here = partial(tested, self.images, asked, run, threads=self.threads)
        (found,) = self.run([Cell(f"test of {trained_cell.name}", identity, here, elsewhere=partial(tested, self.source, asked, run))])
        return float(found.loss), float(found.accuracy)

    def parameters(self, model: str) -> int:
        """Learned numbers of a model."""
        from optlab.training.models import build_model

        built = build_model(model, self.images.shape, len(self.images.classes), self.spec.dtype)
        if self.spec.precision == "bf16":
            from optlab.nn.cuda.tensor_shapes import check_bf16

            check_bf16(built)
        return int(built.parameter_count)

    def _told(self, name: str) -> Any:
        if self.progress is None:
            return None
        tell = self.progress

        def inner(done: int, total: int, label: str) -> None:
            finished, cells = self.run.computed + self.run.read, max(self.run.total or 1, 1)
            tell(finished, max(cells, finished + 1), f"{name}: {done / total:.0%}")

        return inner


def training_fingerprint() -> str:
    """A hash of the source that training depends on: a changed engine computes anew."""
    root = Path(__file__).parents[1]
    files = [path for room in ("data", "layers", "nn", "norms", "training") for path in sorted((root / room).rglob("*.py"))]
    return engine_fingerprint(*(str(path.relative_to(root)) for path in files))
