"""Cells of a store for other programs: netCDF, one table of numbers as CSV, or curves for TensorBoard."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import xarray as xr

from optlab.ensemble.netcdf import to_netcdf
from optlab.errors import InputError, StoreError
from optlab.experiments.runs import SHORT, Run, load
from optlab.experiments.store import Store
from optlab.files import replacing
from optlab.libraries import needed
from optlab.quantities import labeled

ALONG = ("step", "epoch")  #: the dimensions along which TensorBoard draws
CURVES = 1000  #: how many curves of one variable are written; one with more is left out
FACTS = ("id", "kind", "rule", "problem", "schedule", "trajectories", "seed")  #: what every line of a table says of its cell
Progress = Callable[[int, int, str], None]


def export_netcdf(store: Store, chosen: Sequence[Run], out: Path, progress: Progress | None = None) -> list[Path]:
    """Write cells, checked, with names and units, to ``out`` (one cell and a name that ends in .nc) or ``out/ID.nc``; returns the files.

    Raises StoreError for a damaged cell or a file that cannot be written; files written before it stay.
    """
    single = out.suffix == ".nc"
    if single and len(chosen) != 1:
        raise InputError(f"--out {out} is one netCDF file, and {len(chosen)} cells are asked for: name a folder")
    written = []
    for place, run in enumerate(chosen):
        if progress:
            progress(place, len(chosen), run.id[:SHORT])
        data = labeled(load(store, run))
        path = out if single else out / f"{run.id[:SHORT]}.nc"
        with _writing(path) as stream:
            stream.write(to_netcdf(data))
        written.append(path)
    return written


def export_csv(store: Store, chosen: Sequence[Run], out: Path, progress: Progress | None = None) -> int:
    """Write the cells' values to one CSV file, a line for each number, and return the number of lines.

    Columns: ``id, kind, rule, problem, schedule, trajectories, seed``; a column for each dimension of any of the cells (empty where a
    variable lacks it); ``variable`` and ``value``. Numbers are written so that they read back as the same bits.
    """
    dimensions: dict[str, None] = {}
    for run in chosen:
        dimensions |= dict.fromkeys(str(name) for name in load(store, run).dims)
    lines = 0
    with _writing(out) as raw:
        stream = io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*FACTS, *dimensions, "variable", "value"])
        for place, run in enumerate(chosen):
            if progress:
                progress(place, len(chosen), run.id[:SHORT])
            facts = [run.id[:SHORT], run.kind, run.rule, run.problem, *(run.about.get(key, "") for key in FACTS[4:])]
            for row in _rows(load(store, run), list(dimensions)):
                writer.writerow([*facts, *row])
                lines += 1
        stream.detach()
    return lines


def export_tensorboard(store: Store, chosen: Sequence[Run], out: Path, progress: Progress | None = None) -> tuple[list[Path], list[str]]:
    """Write the cells' curves as TensorBoard scalars; returns the folders written, and what was left out.

    A curve is a variable along its steps (or epochs); the tag is the variable's name. The other dimensions are labels of the run, so that
    TensorBoard draws their values side by side: ``out/RULE ID/alpha=0.1, beta=0.9``. Left out are variables without steps, text, and
    variables with more than ``CURVES`` curves (kept trajectories).

    Raises MissingDependencyError without tensorboardX (``pip install 'optlab[tensorboard]'``), StoreError if a file cannot be written.
    """
    library = needed("tensorboardX", "the export to TensorBoard", extra="tensorboard")
    logging.getLogger("tensorboardX.x2num").setLevel(logging.ERROR)  # it warns of every NaN; divergence is a result
    folders: dict[Path, None] = {}
    left: dict[str, None] = {}
    for place, run in enumerate(chosen):
        if progress:
            progress(place, len(chosen), run.id[:SHORT])
        curves: dict[str, list[tuple[str, Any, Any]]] = {}
        for name, variable in load(store, run).data_vars.items():
            along = next((dim for dim in ALONG if dim in variable.dims), None)
            others = [dim for dim in variable.dims if dim != along]
            count = int(np.prod([variable.sizes[dim] for dim in others]))
            if along is None or variable.dtype.kind not in "fiub" or count > CURVES:
                left[f"{name}{f' ({count:,} curves)' if along and count > CURVES else ''}"] = None
                continue
            steps = variable[along].values if along in variable.coords else np.arange(variable.sizes[along])
            labels = [_plain(variable[dim].values) if dim in variable.coords else range(variable.sizes[dim]) for dim in others]
            values = variable.transpose(*others, along).values
            for index in np.ndindex(values.shape[:-1]):
                label = ", ".join(f"{dim}={labels[i][k]}" for i, (dim, k) in enumerate(zip(others, index, strict=True)))
                curves.setdefault(label, []).append((str(name), steps, values[index]))
        head = out / f"{run.rule or run.kind} {run.id[:SHORT]}".replace("/", "|")
        for label, found in curves.items():
            folder = head / label.replace("/", "|") if label else head
            try:
                with library.SummaryWriter(str(folder)) as writer:
                    for name, steps, values in found:
                        for step, value in zip(steps, values, strict=True):
                            writer.add_scalar(name, float(value), int(step), walltime=run.written)
            except OSError as error:
                raise StoreError(f"cannot write {folder}: {error.strerror}; give --out a name that you can write to") from None
            folders[folder] = None
    return list(folders), sorted(left)


def _rows(data: xr.Dataset, dimensions: list[str]) -> Iterator[list[Any]]:
    labels = {str(name): _plain(data[name].values) if name in data.coords else list(range(size)) for name, size in data.sizes.items()}
    for name, variable in data.data_vars.items():
        places = [dimensions.index(str(dim)) for dim in variable.dims]
        values = _plain(variable.values.reshape(-1))
        for index, value in zip(np.ndindex(*variable.shape), values, strict=True):
            row: list[Any] = [""] * len(dimensions)
            for place, dim, k in zip(places, variable.dims, index, strict=True):
                row[place] = labels[str(dim)][k]
            yield [*row, name, value]


def _plain(values: np.ndarray) -> list[Any]:
    """As Python values, whose text reads back as the same bits; whole numbers kept as float64 stay floats."""
    return [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]


@contextmanager
def _writing(path: Path) -> Iterator[IO[bytes]]:
    """``replacing``, whose errors are of the store's kind."""
    try:
        with replacing(path) as stream:
            yield stream
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; give --out a name that you can write to") from None
