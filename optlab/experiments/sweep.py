"""Running cells: what is in the store is read, what is not is computed and kept before the next one starts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import xarray as xr

from optlab.ensemble.predict import predict
from optlab.ensemble.simulate import simulate
from optlab.ensemble.specs import Request
from optlab.experiments.store import Store
from optlab.expressions import Rule
from optlab.objectives import Problem

Progress = Callable[[int, int, str], None]  #: cells done, cells in all, what is running


@dataclass(frozen=True)
class Cell:
    """One unit of work: a name, the spec its numbers depend on, and how to compute it."""

    name: str
    spec: dict[str, Any]
    compute: Callable[[], xr.Dataset]


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
    return Cell(name, spec, lambda: function(rule, problem, **options))


class Runner:
    """Runs cells in order. An interrupt keeps what is finished; a second run computes only the rest.

    ``computed`` and ``read`` count what was computed and what came from the store; ``progress`` is told before each cell.
    """

    def __init__(self, store: Store | None, progress: Progress | None = None, total: int | None = None) -> None:
        self.store, self.progress, self.total = store, progress, total
        self.computed = self.read = 0

    def __call__(self, cells: Sequence[Cell]) -> list[xr.Dataset]:
        out: list[xr.Dataset] = []
        for cell in cells:
            if self.progress:
                done = self.computed + self.read
                self.progress(done, max(self.total or len(cells), done + 1), cell.name)
            found = self.store.get(cell.spec) if self.store else None
            if found is None:
                found = cell.compute()
                if self.store:
                    found = self.store.put(cell.spec, found)
                self.computed += 1
            else:
                self.read += 1
            found.attrs.pop("cell", None)
            out.append(found)
        return out
