"""Where finished cells are kept: one netCDF file per cell, named by a hash of its spec.

Format: ``<folder>/<first two digits>/<sha256 of the canonical spec>.nc``, a NetCDF-3 file with 64-bit offsets holding the cell's
variables, its attributes, ``cell`` (the spec as canonical JSON) and ``checksum`` (SHA-256 over every name, shape, type and value).
A file is written beside, flushed to disk and renamed into place, so a crash leaves the old file, the new one or none.
Beside it stands ``<sha256>.took``, a line of JSON: the seconds that computing it took. They are no part of the cell, which is the same to
the byte wherever it is computed; a cell without them is as good.

Any number of processes may share a folder. Two that compute the same cell at the same time write the same bytes, and either file may stay.
A damaged file is renamed to ``<sha256>.damaged-<random>``; if a sound one had just come into its place, that one is put back.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from optlab.codegen.module import cache_folder
from optlab.ensemble.netcdf import from_netcdf, to_netcdf
from optlab.ensemble.specs import canonical_json
from optlab.errors import StoreError
from optlab.files import mend, write_atomically

FORMAT = 1
_UNSUMMED = "the checksum stands here".ljust(64, ".")  #: as long as a checksum, and replaced by it in the encoded file
_ROUNDS = 8  #: how often a file is looked at again when other processes change it at the same moment


class Took(NamedTuple):
    """What computing took: seconds of the clock, and of processor time (all threads, and processes that it waited for).

    Of a run that was interrupted and went on from its checkpoint, since then.
    """

    seconds: float
    processor: float


def default_store() -> Path:
    """The store used unless one is named: beside the kernel cache, per user."""
    return cache_folder().parent / "store"


class Store:
    """A folder of finished cells, shared safely by any number of processes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(folder)
    ...     _ = store.put({"kind": "demo"}, xr.Dataset({"x": 1.5}))
    ...     float(store.get({"kind": "demo"}).x)
    1.5
    """

    def __init__(self, folder: str | Path, on_damage: Callable[[str], None] | None = None) -> None:
        self.folder = Path(folder)
        self.on_damage = on_damage or (lambda message: None)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the store {self.folder}: {error.strerror}; name a folder you can write to") from None

    def path(self, spec: Mapping[str, Any]) -> Path:
        """The file that holds (or would hold) the cell of this spec."""
        name = hashlib.sha256(f"{FORMAT}:{canonical_json(spec)}".encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.nc"

    def get(self, spec: Mapping[str, Any]) -> xr.Dataset | None:
        """The cell's result, or None if it is not there. A damaged file is set aside, reported, and counts as not there.

        Raises StoreError if a file is there and cannot be read.
        """
        path, cell = self.path(spec), canonical_json(spec)
        for _ in range(_ROUNDS):
            content = self._read(path)
            if content is None:
                return None
            try:
                return read_cell(content, cell)
            except Damaged as damage:
                if not self._set_aside(path, content, str(damage)):
                    return None
        return None

    def put(self, spec: Mapping[str, Any], data: xr.Dataset) -> xr.Dataset:
        """Keep a result; returns it as ``get`` will. Raises StoreError if it cannot be written."""
        content = to_netcdf(data.assign_attrs(cell=canonical_json(spec), checksum=_UNSUMMED))
        settled = from_netcdf(content)
        del settled.attrs["checksum"]
        if content.count(_UNSUMMED.encode()) == 1:
            content = content.replace(_UNSUMMED.encode(), checksum(settled).encode())
        else:  # the result itself holds that text
            content = to_netcdf(settled.assign_attrs(checksum=checksum(settled)))
        path = self.path(spec)
        try:
            write_atomically(path, content)
        except OSError as error:
            raise StoreError(
                f"cannot write {path}: {error.strerror}; finished cells are kept: {mend(error, 'a store you can write to')} and run again"
            ) from None
        return settled

    def note(self, spec: Mapping[str, Any], took: Took) -> None:
        """Keep what computing a cell took. Where that cannot be written, nothing is lost but it."""
        with suppress(OSError):
            took_file(self.path(spec)).write_text(json.dumps({name: round(value, 3) for name, value in took._asdict().items()}))

    def took(self, spec: Mapping[str, Any]) -> Took | None:
        """What computing the cell of this spec took, as far as it is known.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = Store(folder)
        ...     _ = store.put({"kind": "demo"}, xr.Dataset({"x": 1.5}))
        ...     store.note({"kind": "demo"}, Took(2.5, 2.25))
        ...     store.took({"kind": "demo"}), store.took({"kind": "another"})
        (Took(seconds=2.5, processor=2.25), None)
        """
        return read_took(self.path(spec))

    def files(self) -> list[Path]:
        """The files of cells, in order of name; none of them is opened."""
        return sorted(self.folder.glob("??/*.nc"))

    def specs(self) -> list[dict[str, Any]]:
        """The specs of every sound cell, in order of file name; a damaged one is reported."""
        found = []
        for path in self.files():
            content = self._read(path)
            try:
                if content is not None:
                    found.append(json.loads(read_cell(content).attrs["cell"]))
            except Damaged as damage:
                self.on_damage(f"{path.name} is damaged ({damage})")
        return found

    def check(self, path: Path) -> bool:
        """Whether this file of the store is sound; a damaged one is set aside and reported. True for a file that has gone."""
        for _ in range(_ROUNDS):
            content = self._read(path)
            if content is None:
                return True
            try:
                held = json.loads(read_cell(content).attrs["cell"])
                if self.path(held) == path:
                    return True
                damage = "it holds another cell"
            except Damaged as error:
                damage = str(error)
            if not self._set_aside(path, content, damage):
                return False
        return False

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}; see to that file, or name another store") from None

    def _set_aside(self, path: Path, content: bytes, damage: str) -> bool:
        """Take a damaged file out of the way, under a name of its own. True where another process has changed it: look again."""
        aside = path.with_suffix(f".damaged-{secrets.token_hex(4)}")
        try:
            os.replace(path, aside)
            if aside.read_bytes() != content:  # a sound one came between reading and renaming: back to its place
                os.replace(aside, path)
                return True
        except FileNotFoundError:  # another process has set it aside
            return True
        except OSError as error:
            self.on_damage(f"{path.name} is damaged ({damage}) and cannot be set aside ({error.strerror}): computed again")
            return False
        self.on_damage(f"{path.name} is damaged ({damage}): set aside as {aside.name}, computed again")
        return False


def took_file(cell: Path) -> Path:
    """The file that says what the cell in this file took to compute."""
    return cell.with_suffix(".took")


def read_took(cell: Path) -> Took | None:
    """What the cell in this file took to compute; None where no file says so, or none that can be read."""
    try:
        held = json.loads(took_file(cell).read_text())
        took = Took(float(held["seconds"]), float(held["processor"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return took if all(math.isfinite(value) and value >= 0 for value in took) else None


class Damaged(Exception):
    """A file is no whole cell; the message says how it shows. It never leaves the store."""


def read_cell(content: bytes, cell: str | None = None) -> xr.Dataset:
    """The cell in a file's bytes, its checksum verified and taken off. Raises Damaged, also where it is not ``cell`` (canonical JSON)."""
    try:
        data = from_netcdf(content)
        found = checksum(data)
    except Exception as error:  # whatever a damaged file makes the reader raise
        raise Damaged(f"{type(error).__name__}") from None
    if data.attrs.pop("checksum", None) != found or not isinstance(data.attrs.get("cell"), str):
        raise Damaged("its checksum does not match")
    if cell is not None and data.attrs["cell"] != cell:
        raise Damaged("it holds another cell")
    return data


def checksum(data: xr.Dataset) -> str:
    """SHA-256 over names, dimensions, types, values and attributes, in a fixed order."""
    digest = hashlib.sha256(repr(sorted(map(str, data.coords))).encode())
    for name in sorted(map(str, data.variables)):
        variable = data.variables[name]
        values = np.asarray(variable.values)
        text = values.dtype.kind in "OSU"
        body = (
            canonical_json(values.astype(str).tolist()).encode()
            if text
            else np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
        )
        digest.update(f"{name}{variable.dims}{values.shape}{'text' if text else values.dtype.kind + str(values.dtype.itemsize)}".encode())
        digest.update(body)
        digest.update(repr(sorted((k, _plain(v)) for k, v in variable.attrs.items())).encode())
    digest.update(repr(sorted((k, _plain(v)) for k, v in data.attrs.items() if k != "checksum")).encode())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
