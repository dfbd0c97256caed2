"""Batches of a table's rows, in the same manner as those of images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from optlab.data.kernels import kernels
from optlab.ensemble.philox import stream_key
from optlab.ensemble.purposes import Purpose
from optlab.errors import InputError


class TableBatches:
    """The rows of a table, divided and shuffled by seed; features standardized by the training rows.

    Parameters
    ----------
    features
        (n, d) finite numbers.
    targets
        (n,): numbers to predict (float64), or classes from 0 (int64).
    validation
        Rows kept for validation, chosen at random by seed.
    batch
        Rows per batch; the rest of a shuffled epoch is left out.
    standardize
        Give the features mean 0 and deviation 1 over the training rows (divisor n); a constant column becomes 0.

    Raises InputError if there are too few rows.

    >>> batches = TableBatches(np.arange(10.0)[:, None], np.arange(10.0), validation=2, batch=4, seed=0)
    >>> [(x.shape, y.shape) for x, y in batches.epoch(1)]
    [((4, 1), (4,)), ((4, 1), (4,))]
    """

    def __init__(
        self, features: np.ndarray, targets: np.ndarray, *, validation: int, batch: int, seed: int, standardize: bool = True,
        dtype: str = "float32",
    ) -> None:  # fmt: skip
        n = len(targets)
        if features.ndim != 2 or features.shape[0] != n or targets.ndim != 1:
            raise InputError(f"table: features {features.shape} and targets {targets.shape} do not fit; give (n, d) and (n,)")
        if not 0 < validation < n:
            raise InputError(f"validation = {validation} must be from 1 to {n - 1}: the table has {n} rows")
        if not 0 < batch <= n - validation:
            raise InputError(f"batch = {batch} must be from 1 to {n - validation}, the number of training rows")
        self.batch, self.seed, self._key = batch, seed, stream_key(seed, None)
        zero = np.uint32(0)
        order = kernels().permutation(n, zero, zero, np.uint32(Purpose.SPLIT), *self._key)
        kept, used = np.sort(order[:validation]), np.sort(order[validation:])
        self.mean, self.deviation = np.zeros(features.shape[1]), np.ones(features.shape[1])
        if standardize:
            self.mean, deviation = features[used].mean(0), features[used].std(0)
            self.deviation = np.where(deviation > 0, deviation, 1.0)
        scaled = np.ascontiguousarray((features - self.mean) / self.deviation, dtype)
        wanted = targets.astype(np.int64 if targets.dtype.kind in "iu" else dtype)
        self.training, self.validation = (scaled[used], wanted[used]), (scaled[kept], wanted[kept])

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return len(self.training[1]) // self.batch

    def order(self, epoch: int) -> np.ndarray:
        """The training rows of one epoch (from 1), in the order in which they are taken."""
        count, zero = len(self.training[1]), np.uint32(0)
        return kernels().permutation(count, zero, np.uint32(epoch), np.uint32(Purpose.PERMUTATION), *self._key)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches ``first``, ``first + 1``, ... of an epoch (from 1): features and targets."""
        order = self.order(epoch)
        for place in range(first, self.steps):
            rows = order[place * self.batch : (place + 1) * self.batch]
            yield self.training[0][rows], self.training[1][rows]

    def plain(self, part: tuple[np.ndarray, np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Every row of a part once, in order; the last batch may be smaller."""
        for start in range(0, len(part[1]), self.batch):
            yield part[0][start : start + self.batch], part[1][start : start + self.batch]
