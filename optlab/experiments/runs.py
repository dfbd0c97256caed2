"""What a store holds: its cells found by id or by what was run, and what can be cleaned away.

An id is the name of a cell's file (64 hexadecimal digits) or its first digits, as many as tell it from the others.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr
from scipy.io import netcdf_file

from optlab.ensemble.specs import canonical_json
from optlab.errors import InputError, StoreError
from optlab.experiments.kinds import outdated, within
from optlab.experiments.store import Store, Took, read_took, took_file
from optlab.files import is_leftover

SHORT = 12  #: digits of an id that are shown
WRITING_SECONDS = 3600.0  #: a file younger than this may still be being written
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Run:
    """One cell of a store: its spec from the file's header, the file's size in bytes, when it was written (seconds of the epoch)."""

    path: Path
    spec: dict[str, Any]
    size: int
    written: float

    @property
    def id(self) -> str:
        """The whole id."""
        return self.path.stem

    @property
    def kind(self) -> str:
        """Such as ``simulate``, ``predict``, ``training``, ``test``, ``advise``."""
        return str(self.spec.get("kind", "-"))

    @cached_property
    def about(self) -> Mapping[str, Any]:
        """Its spec, or that of the (first) cell it is about."""
        return next(iter(within(self.spec)), self.spec)

    @property
    def rule(self) -> str:
        """The rule's label, or a dash."""
        return str(self.about.get("rule", "-"))

    @property
    def problem(self) -> str:
        """What it was run on: a problem, images, a table."""
        return str(next((self.about[key] for key in ("problem", "data_name", "path") if key in self.about), "-"))

    @property
    def trajectories(self) -> int | None:
        """How many runs, where it is an ensemble."""
        return self.about.get("trajectories") if self.kind != "predict" else None

    @property
    def steps(self) -> str:
        """Steps, or epochs, of each run."""
        if "steps" in self.about:
            return f"{self.about['steps']:,}"
        return f"{self.about['epochs']} epochs" if "epochs" in self.about else "-"

    @cached_property
    def took(self) -> Took | None:
        """What computing it took, as far as the store knows."""
        return read_took(self.path)

    @property
    def outdated(self) -> bool:
        """Whether another engine than today's has computed it, or a cell it is made of, as far as their kinds are known."""
        return outdated(self.spec)


def runs(store: Store, *, kind: str | None = None, rule: str | None = None, text: str | None = None) -> list[Run]:
    """The cells of a store, the newest first; of this kind, of rules that hold ``rule``, of specs that hold ``text``, where given.

    Headers are read and values are not, so a file damaged there is listed like a sound one; a header that cannot be read is reported.
    """
    found = []
    for path in store.files():
        run = _header(store, path)
        if run is None or (kind is not None and run.kind != kind) or (rule is not None and rule not in run.rule):
            continue
        if text is None or text.lower() in canonical_json(run.spec).lower():
            found.append(run)
    return sorted(found, key=lambda run: (-run.written, run.id))


def find(store: Store, prefix: str) -> Run:
    """The cell whose id begins so. Raises InputError naming near misses, or the cells it could be."""
    files = {path.stem: path for path in store.files()}
    matching = [name for name in files if prefix and name.startswith(prefix.lower())]
    if len(matching) > 1:
        shown = ", ".join(name[: max(SHORT, len(prefix) + 4)] for name in matching[:4]) + (", ..." if len(matching) > 4 else "")
        raise InputError(f"{prefix!r} is the beginning of {len(matching)} ids in {store.folder} ({shown}): give more digits")
    if not matching:
        near = get_close_matches(prefix.lower(), {name[: len(prefix)] for name in files}, n=2, cutoff=0.7) if len(prefix) > 2 else []
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "`optlab runs list` shows what is there"
        raise InputError(f"no cell {prefix!r} among the {len(files)} in {store.folder}; {hint}")
    run = _header(store, files[matching[0]])
    if run is None:
        raise StoreError(f"cell {prefix} in {store.folder} is damaged: run what made it again, or `optlab runs clean`")
    return run


def load(store: Store, run: Run) -> xr.Dataset:
    """The values of a cell, checked. Raises StoreError if the file is damaged (it is then set aside)."""
    data = store.get(run.spec)
    if data is None:
        raise StoreError(f"cell {run.id[:SHORT]} in {store.folder} is damaged or gone: run what made it again")
    return data


@dataclass(frozen=True)
class Rubbish:
    """A file that cleaning takes away, why, and its size in bytes."""

    path: Path
    why: str
    size: int


def rubbish(store: Store, *, older_than: float | None = None, outdated: bool = False, progress: Progress | None = None) -> list[Rubbish]:
    """What cleaning would take away; nothing is deleted, but damaged cells are set aside.

    Damaged files, and what killed writers left an hour ago or longer. With ``older_than`` (days), also cells and checkpoints written
    before then; with ``outdated``, also cells of another engine than today's. Every file is read in full and checked.
    """
    found, now = [], time.time()
    files = store.files()
    for place, path in enumerate(files):
        if progress:
            progress(place, len(files), "checking")
        if not store.check(path):
            continue  # it is found below, set aside
        run = _header(store, path)
        if run is None:
            continue
        if older_than is not None and now - run.written > older_than * 86400:
            found.append(Rubbish(path, f"a cell older than {older_than:g} days", run.size))
        elif outdated and run.outdated:
            found.append(Rubbish(path, "a cell of another engine", run.size))
    return found + list(_beside(store, now, older_than))


def clean(found: list[Rubbish]) -> None:
    """Delete these files. Raises StoreError naming one that cannot be."""
    for item in found:
        try:
            item.path.unlink(missing_ok=True)
            if item.path.suffix == ".nc":
                took_file(item.path).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot delete {item.path}: {error.strerror}; what was deleted before it stays deleted") from None


def _beside(store: Store, now: float, older_than: float | None) -> Iterator[Rubbish]:
    """What stands in the store's folders and is no cell."""
    for path in sorted(store.folder.glob("??/*")) + sorted(store.folder.glob("??/.*.part")):
        try:
            state = path.stat()
        except OSError:
            continue  # gone meanwhile
        age = now - state.st_mtime
        if ".damaged-" in path.name:
            yield Rubbish(path, "a damaged file", state.st_size)
        elif is_leftover(path):
            if age > WRITING_SECONDS:
                yield Rubbish(path, "left by a killed writer", state.st_size)
        elif path.suffix == ".took":
            if not path.with_suffix(".nc").exists():
                yield Rubbish(path, "what a cell that is gone took", state.st_size)
        elif path.suffix == ".part":
            if path.with_suffix(".nc").exists():
                yield Rubbish(path, "a checkpoint of a finished run", state.st_size)
            elif older_than is not None and age > older_than * 86400:
                yield Rubbish(path, f"a checkpoint older than {older_than:g} days", state.st_size)


def _header(store: Store, path: Path) -> Run | None:
    """A cell by its file's header, or None (reported) where that is damaged, or gone."""
    try:
        state = path.stat()
        with netcdf_file(path, mmap=True) as file:
            spec = json.loads(file.cell.decode())
        if store.path(spec) != path:
            raise ValueError("it holds another cell")
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever a damaged file makes the reader raise
        store.on_damage(f"{path.name} is damaged ({type(error).__name__}); `optlab runs clean` takes it away")
        return None
    return Run(path, spec, state.st_size, state.st_mtime)
