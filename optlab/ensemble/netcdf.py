"""Datasets as NetCDF-3 files, a format without integers beyond 32 bits."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import xarray as xr

_WIDEST = 2**31 - 1


def to_netcdf(data: xr.Dataset) -> bytes:
    """The file's bytes. Integers become float64 (dimension coordinates only where they are too wide), wide integer attributes text."""
    narrow = {
        name: value.astype(np.float64)
        for name, value in data.variables.items()
        if value.dtype.kind in "iub" and (name not in data.dims or (value.size and int(np.abs(value.values).max()) > _WIDEST))
    }
    plain = data.assign(narrow)
    plain.attrs = {key: _attribute(value) for key, value in data.attrs.items()}
    return bytes(plain.to_netcdf(engine="scipy", format="NETCDF3_64BIT"))


def from_netcdf(content: bytes) -> xr.Dataset:
    """The dataset in the file, loaded."""
    with xr.open_dataset(io.BytesIO(content), engine="scipy", decode_times=False) as opened:
        return opened.load()


def _attribute(value: Any) -> Any:
    wide = isinstance(value, (int, np.integer)) and abs(int(value)) > _WIDEST
    return str(value) if wide else value
