"""Running cells: what is in the store is read, what is not is computed and kept before the next one starts."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import xarray as xr

from optlab.ensemble.predict import predict
from optlab.ensemble.simulate import simulate
from optlab.ensemble.specs import Request
from optlab.experiments.processes import side_by_side
from optlab.experiments.store import Store, Took
from optlab.expressions import Rule
from optlab.objectives import Problem

log = logging.getLogger(__name__)
Progress = Callable[[int, int, str], None]  #: cells done, cells in all, what is running
_TOOK = "_took"  #: attribute of a result on its way from where it was computed


@dataclass(frozen=True)
class Cell:
    """One unit of work: a name, the spec its numbers depend on, and how to compute it.

    ``compute`` is sent to other machines as it is (by cloudpickle), so it holds values rather than open files or this machine's paths:
    a ``functools.partial`` of a function and its arguments. Where it needs this machine, ``elsewhere`` is what another one computes.
    """

    name: str
    spec: dict[str, Any]
    compute: Callable[[], xr.Dataset]
    elsewhere: Callable[[], xr.Dataset] | None = None
    single: bool = False  #: whether it keeps one core busy only: several run side by side


Keep = Callable[[int, xr.Dataset], None]  #: takes the result of the cell at a place
Computer = Callable[[Iterator[tuple[int, Cell]], Keep], None]  #: computes cells and hands each result over when it is there


@cache
def engine_fingerprint(*others: str) -> str:
    """A hash of the source that computes cells (and of ``others``, files of the package); a changed engine computes anew."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in ("ensemble", "codegen", "analysis"):
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    for name in others:
        digest.update((root / name).read_bytes())
    return digest.hexdigest()[:16]


@cache
def package_fingerprint() -> str:
    """A hash of all source of the package that a cell may run: two machines with the same one compute the same numbers."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] not in ("cli", "reporting"):
            digest.update(f"{path.relative_to(root).as_posix()}:".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def simulation_cell(name: str, rule: Rule, problem: Problem, *, exact: bool = False, **options: Any) -> Cell:
    """A cell that simulates (or, with ``exact``, predicts) one rule on one problem under one schedule."""
    function = predict if exact else simulate
    defaults: dict[str, Any] = {
        "batch": 1, "trajectories": 1, "rng": 0, "backend": "cpu", "dtype": "float64", "record": "linear",
        "quantiles": (0.05, 0.25, 0.5, 0.75, 0.95), "keep": 0, "outcomes": False, "coordinates": None, "common": False, "limit": 1e15,
    }  # fmt: skip
    full = defaults | options
    request = Request.read(rule, problem, seed=full.pop("rng"), **full)
    spec = {"kind": function.__name__, "engine": engine_fingerprint()} | request.spec()
    return Cell(name, spec, partial(function, rule, problem, **options))


class Runner:
    """Runs cells: in order here, side by side where they keep one core busy, or on a cluster's workers.

    An interrupt keeps what is finished; a second run computes the rest.
    ``computed`` and ``read`` count what was computed and what came from the store; ``took`` adds up what computing them took, now or
    then, and ``timed`` counts the cells of which that is known. ``progress`` is told before each cell, and on a cluster after each too.
    """

    def __init__(
        self, store: Store | None, progress: Progress | None = None, total: int | None = None, cluster: Computer | None = None
    ) -> None:
        self.store, self.progress, self.total, self.cluster = store, progress, total, cluster
        self.computed = self.read = self.timed = 0
        self.took = Took(0.0, 0.0)

    def __call__(self, cells: Sequence[Cell]) -> list[xr.Dataset]:
        """The results of these cells, in their order; each is in the store as soon as it is computed."""
        found: dict[int, xr.Dataset] = {}

        def missing() -> Iterator[tuple[int, Cell]]:
            for place, cell in enumerate(cells):
                self._tell(cell, len(cells))
                held = self.store.get(cell.spec) if self.store else None
                if held is None:
                    log.info("computing %s", cell.name)
                    yield place, clocked(cell)
                else:
                    log.info("read %s from %s", cell.name, self.store.path(cell.spec) if self.store else "the store")
                    found[place] = held
                    self.read += 1
                    self._count(self.store.took(cell.spec) if self.store else None)

        def keep(place: int, data: xr.Dataset) -> None:
            took = Took(*data.attrs.pop(_TOOK))
            found[place] = self.store.put(cells[place].spec, data) if self.store else data
            self.computed += 1
            self._count(took)
            if self.store:
                self.store.note(cells[place].spec, took)
                log.info("kept %s in %s", cells[place].name, self.store.path(cells[place].spec))
            if computer is not _in_order:
                self._tell(cells[place], len(cells))

        computer = self.cluster or (side_by_side if any(cell.single for cell in cells) else _in_order)
        computer(missing(), keep)
        for data in found.values():
            data.attrs.pop("cell", None)
        return [found[place] for place in range(len(cells))]

    def _count(self, took: Took | None) -> None:
        if took is not None:
            self.timed += 1
            self.took = Took(*(sum(pair) for pair in zip(self.took, took, strict=True)))

    def _tell(self, cell: Cell, cells: int) -> None:
        if self.progress:
            done = self.computed + self.read
            self.progress(done, max(self.total or cells, done + 1), cell.name)


def clocked(cell: Cell) -> Cell:
    """The same cell; its result says what computing it took, wherever that was."""
    there = cell.elsewhere and partial(_clocked, cell.elsewhere)
    return replace(cell, compute=partial(_clocked, cell.compute), elsewhere=there)


def _clocked(compute: Callable[[], xr.Dataset]) -> xr.Dataset:
    began, worked = time.perf_counter(), _processor_seconds()
    data = compute()
    return data.assign_attrs({_TOOK: (time.perf_counter() - began, _processor_seconds() - worked)})


def _processor_seconds() -> float:
    """Of this process and of those it has waited for: kernels are compiled in processes of their own."""
    return time.process_time() + sum(os.times()[2:4])


def _in_order(cells: Iterator[tuple[int, Cell]], keep: Keep) -> None:
    for place, cell in cells:
        keep(place, cell.compute())
