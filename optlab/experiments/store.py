"""Where finished cells are kept: one netCDF file per cell, named by a hash of its spec.

Format: ``<folder>/<first two digits>/<sha256 of the canonical spec>.nc``, a NetCDF-3 file with 64-bit offsets holding the cell's
variables, its attributes, ``cell`` (the spec as canonical JSON) and ``checksum`` (SHA-256 over every name, shape, type and value).
A file is written beside, flushed to disk and renamed into place, so a crash leaves the old file, the new one or none.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from optlab.ensemble.netcdf import from_netcdf, to_netcdf
from optlab.ensemble.specs import canonical_json
from optlab.errors import StoreError
from optlab.files import write_atomically

FORMAT = 1


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
        """The cell's result, or None if it is not there. A damaged file is set aside, reported, and counts as not there."""
        path = self.path(spec)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}") from None
        try:
            data = from_netcdf(content)
            found = data.attrs.pop("checksum", None)
            if found != checksum(data) or data.attrs.get("cell") != canonical_json(spec):
                raise ValueError("checksum does not match")
        except Exception as error:  # whatever a damaged file makes the reader raise
            aside = path.with_suffix(f".damaged-{os.getpid()}")
            os.replace(path, aside)
            self.on_damage(f"{path.name} is damaged ({type(error).__name__}): set aside as {aside.name}, computed again")
            return None
        return data

    def put(self, spec: Mapping[str, Any], data: xr.Dataset) -> xr.Dataset:
        """Keep a result; returns it as ``get`` will. Raises StoreError if it cannot be written."""
        data = data.assign_attrs(dict(data.attrs) | {"cell": canonical_json(spec)})
        settled = from_netcdf(to_netcdf(data))
        final = to_netcdf(settled.assign_attrs(checksum=checksum(settled)))
        path = self.path(spec)
        try:
            write_atomically(path, final)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}; finished cells are kept, free some space and run again") from None
        return settled

    def specs(self) -> list[dict[str, Any]]:
        """The specs of every readable cell, in order of file name."""
        out = []
        for path in sorted(self.folder.glob("??/*.nc")):
            try:
                out.append(json.loads(from_netcdf(path.read_bytes()).attrs["cell"]))
            except Exception as error:  # a damaged file is reported, not fatal
                self.on_damage(f"{path.name} is damaged ({type(error).__name__})")
        return out


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
