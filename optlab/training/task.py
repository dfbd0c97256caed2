"""What is learned: batches to train on, a part for validation, a part for the test at the end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from optlab import data as data_room
from optlab.data.batches import ImageBatches
from optlab.data.images import ImageData
from optlab.data.table_batches import TableBatches
from optlab.data.tables import Table, read_table, short
from optlab.errors import InputError

Batch = tuple[np.ndarray, np.ndarray]
LARGEST_CLASS = 1000  #: more classes than this are a mistake


class Feed(Protocol):
    """Batches by epoch, each a pure function of the seed, the epoch and the place."""

    batch: int  #: samples in a batch

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        ...

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch (from 1), from the given place on."""
        ...

    def plain(self, part: Any) -> Iterator[Batch]:
        """A whole part in order, as it is."""
        ...


@dataclass(frozen=True, eq=False)
class Task:
    """Data as the loop takes them."""

    name: str  #: how results are labeled
    fingerprint: str  #: of everything that the batches depend on beside the seed
    feed: Feed
    validation: Any  #: what ``feed.plain`` takes
    test: Any  #: the same; None if there is none
    shape: tuple[int, ...]  #: of one input
    classes: tuple[str, ...]  #: names of the classes; none for numbers to predict
    sizes: dict[str, int]  #: training, validation, test
    columns: tuple[str, ...] = ()  #: names of a table's features


def image_task(
    images: ImageData, *, batch: int, seed: int, training: int | None, validation: int | None, augment: bool, dtype: str
) -> Task:
    """Images, divided by class; a tenth of them is for validation unless a number is given."""
    kept = max(1, len(images.training) // 10) if validation is None else validation
    used, aside = images.split(kept, seed=seed, training=training)
    feed = ImageBatches(used, batch=batch, seed=seed, augment=augment, dtype=dtype)
    fingerprint = _digest(images.fingerprint, len(used), kept, augment)
    sizes = {"training": len(used), "validation": len(aside), "test": len(images.test)}
    return Task(images.name, fingerprint, feed, aside, images.test, images.shape, images.classes, sizes)


def table_task(
    table: Table, *, classify: bool, batch: int, seed: int, validation: int | None, standardize: bool, dtype: str
) -> Task:  # fmt: skip
    """A table's rows; a fifth of them is for validation unless a number is given. There is no test part."""
    targets, classes = (_classes(table)) if classify else (table.target, ())
    kept = max(1, table.n // 5) if validation is None else validation
    feed = TableBatches(table.features, targets, validation=kept, batch=batch, seed=seed, standardize=standardize, dtype=dtype)
    content = hashlib.sha256(np.ascontiguousarray(table.features).tobytes() + np.ascontiguousarray(targets).tobytes()).hexdigest()
    fingerprint = _digest(content, kept, standardize, classify)
    sizes = {"training": table.n - kept, "validation": kept, "test": 0}
    name = f"{os.path.basename(table.path)}: {table.target_name}"
    return Task(name, fingerprint, feed, feed.validation, None, (table.features.shape[1],), classes, sizes, table.names)


def read_task(
    data: Any, *, folder: str | os.PathLike[str] | None, label: str | None, target: str | None, columns: Sequence[str] | None,
    drop_missing: bool, classify: bool, batch: int, seed: int, training: int | None, validation: int | None, augment: bool,
    standardize: bool, dtype: str,
) -> Task:  # fmt: skip
    """The task that ``data=`` means: images by name, a CSV file, a :class:`Table`, or a pair (features, targets)."""
    if isinstance(data, tuple) and len(data) == 2:
        data = _table_of(*data)
    if isinstance(data, os.PathLike) or (isinstance(data, str) and data.lower().endswith((".csv", ".tsv", ".txt"))):
        data = read_table(data, target, drop_missing=drop_missing, columns=columns)
    if isinstance(data, Table):
        if training is not None:
            raise InputError("training= chooses among images: of a table every row that is not for validation is used")
        options: dict[str, Any] = {"batch": min(batch, max(1, data.n - data.n // 5)), "validation": validation}
        return table_task(data, classify=classify, standardize=standardize, seed=seed, dtype=dtype, **options)
    images = data_room.get(data, folder=folder, label=label)
    return image_task(images, batch=batch, seed=seed, training=training, validation=validation, augment=augment, dtype=dtype)


def _table_of(features: Any, targets: Any) -> Table:
    try:
        values, wanted = np.asarray(features, np.float64), np.asarray(targets, np.float64)
    except (TypeError, ValueError):
        raise InputError("data = (features, targets) must be numbers: features (n, d), targets (n,)") from None
    width = values.shape[1] if values.ndim == 2 else 0
    return Table(values, wanted, tuple(f"x{k}" for k in range(width)), "target")


def _classes(table: Table) -> tuple[np.ndarray, tuple[str, ...]]:
    """Whole numbers as classes, in order of size."""
    place = f"{table.path}: column {short(table.target_name)}"
    if not np.all(table.target == np.rint(table.target)):
        raise InputError(f"{place} holds numbers that are not whole, so they are no classes; use the linear model")
    values, labels = np.unique(table.target.astype(np.int64), return_inverse=True)
    if len(values) > LARGEST_CLASS:
        raise InputError(f"{place} has {len(values)} different values: too many for classes; use the linear model")
    return labels.astype(np.int64), tuple(map(str, values))


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
