"""A cell whose trajectories run on a CUDA device, one to a thread, and are reduced there, in the CPU's order."""

from __future__ import annotations

from threading import Lock
from types import MappingProxyType
from typing import Any

import numpy as np
from numba import cuda
from numba.core import config

from optlab.ensemble.cell import Cell, Found, Piece
from optlab.ensemble.cuda_kernel import THREADS, cuda_kernel, numbers_per_thread, own
from optlab.ensemble.cuda_reductions import MOMENTS, DeviceTally, Room, fetched, launch, moments
from optlab.ensemble.cuda_rows import order_bytes
from optlab.ensemble.layout import BLOCK
from optlab.ensemble.plans import RulePlan
from optlab.ensemble.specs import Request
from optlab.ensemble.statistics import Counts

LAUNCH_BYTES = 1 << 30  #: of a launch's losses, coordinates and states on the device, where more than one block would fit
LAUNCH_UPDATES = 20_000_000_000  #: coordinate updates of one launch, about: below a second, for Ctrl-C waits for a launch to end

_one_at_a_time = Lock()
config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # a small ensemble is asked for on purpose


class CudaCell(Cell):
    """As :class:`Cell`, with the trajectories of a chunk in one launch. The device reduces them: what comes back are the moments of each
    chunk, the counts of the whole cell, and the trajectories that are kept."""

    place = MappingProxyType({"backend": "cuda"})
    chunk_bytes = 0  #: of the host
    most_workers = 1  #: there is one device

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._head: tuple[Any, ...] | None = None
        self._room = Room()
        self._tally: DeviceTally | None = None
        self._counts: Counts | None = None

    def compiled(self, rule: RulePlan) -> Any:
        """The kernel, compiled at its first launch."""
        r, definition = self.request, rule.definition().unbound()
        sizes = numbers_per_thread(definition, r.problem, r.dtype)
        self.space_per_thread = 0 if own(definition, r.problem, r.dtype) else sum(sizes.values())
        self.order_per_thread = 0 if r.batch is None else order_bytes(r.problem) // 4
        return cuda_kernel(rule, r.problem, r.dtype, r.uniform_bits).run

    def level(self, workers: int) -> int:
        """The size of a launch, as the power of two of its blocks; the results do not depend on it."""
        records, wide = len(self.records), self.real.itemsize
        rows = records * (1 + (self.dim if self.snapshots else 0))
        per_block = BLOCK * (8 * records + wide * (rows - records) + wide * self.space_per_thread + 4 * self.order_per_thread)
        per_block += 8 * MOMENTS * rows
        most = min(LAUNCH_UPDATES // self.updates, LAUNCH_BYTES // per_block, self.blocks)
        return max(0, int(most).bit_length() - 1)

    def found(self, first: int, count: int, stride: int, scattered: np.ndarray) -> Found | None:
        """What trajectories first .. first + count - 1 contribute; None if it was stopped."""
        if self.stop[0]:
            return None
        with _one_at_a_time:
            return self._found(first, count, stride, scattered)

    def _found(self, first: int, count: int, stride: int, scattered: np.ndarray) -> Found:
        r, room, records = self.request, self._room, len(self.records)
        if self._head is None:
            self._head = tuple(_there(value) for value in self.head[1:])
            self._tally = DeviceTally(self.records, len(r.reach), r.steps, bool(r.quantiles))
        watched = r.coordinates or first < r.keep
        space, order = self.space_per_thread * stride, self.order_per_thread * stride
        losses = room.get("losses", records * stride, np.float64)
        snapshots = room.get("snapshots", records * self.dim * stride if watched else 0, self.real)
        since, passage = room.get("since", stride, np.int64), room.get("passage", len(r.reach) * stride, np.int64)
        scratch = (_there(scattered), room.get("space", space, self.real), room.get("order", order, np.int32))
        self.kernel[-(-count // THREADS), THREADS](
            first, count, stride, stride, *self._head, *scratch, losses, snapshots, since, passage
        )  # fmt: skip
        assert self._tally is not None
        self._tally.add(losses, since, passage, stride, count)
        of_losses = moments(room, losses, records, stride, count)
        of_coordinates = moments(room, snapshots, records * self.dim, stride, count) if r.coordinates else None
        kept = outcomes = None
        if first < r.keep:
            some, shown = min(r.keep - first, count), len(self.asked)
            theta = self._gathered(snapshots, shown * self.dim, stride, some).reshape(shown, self.dim, some)
            kept = theta.transpose(2, 0, 1).astype(np.float64), self._gathered(losses, shown, stride, some).reshape(shown, some).T.copy()
        if r.outcomes:
            last = losses[(records - 1) * stride : records * stride]
            outcomes = fetched(since, count), fetched(last, count)
        return of_losses, of_coordinates, kept, outcomes

    def _gathered(self, values: Any, rows: int, stride: int, count: int) -> np.ndarray:
        out = cuda.device_array(rows * count, values.dtype)
        launch("gather", rows * count, values, rows, stride, count, out)
        return fetched(out, rows * count)

    def counts(self) -> Counts:
        """The counts so far: those taken up from a checkpoint, and those of the device."""
        if self._counts is not None:
            return self._counts
        with _one_at_a_time:
            return Counts([*self.tallies, *([self._tally.fetch()] if self._tally else [])])

    def _merge(self, piece: Piece) -> None:
        super()._merge(piece)
        if self.done >= self.blocks:  # the device's memory is the next cell's
            self._counts = self.counts()
            with _one_at_a_time:
                self._head, self._room, self._tally = None, Room(), None


def _there(value: Any) -> Any:
    """An array on the device, of at least one element; numbers as they are."""
    if not isinstance(value, np.ndarray):
        return value
    return cuda.to_device(value if value.size else np.zeros((1,) * value.ndim, value.dtype))
