"""A cell whose trajectories run on a CUDA device, one to a thread; what it gathers and how it is reduced is the CPU's."""

from __future__ import annotations

from threading import Lock
from types import MappingProxyType
from typing import Any

import numpy as np
from numba import cuda
from numba.core import config

from optlab.ensemble.cell import Cell
from optlab.ensemble.cuda_kernel import THREADS, cuda_kernel, numbers_per_thread, own
from optlab.ensemble.layout import BLOCK
from optlab.ensemble.plans import RulePlan
from optlab.ensemble.specs import Request

LAUNCH_BYTES = 128 << 20  #: of recorded losses and coordinates of one launch, where more than one block would fit
LAUNCH_UPDATES = 20_000_000_000  #: coordinate updates of one launch, about: below a second, for Ctrl-C waits for a launch to end

_one_at_a_time = Lock()
config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # a small ensemble is asked for on purpose


class CudaCell(Cell):
    """As :class:`Cell`, with the trajectories of a chunk in one launch. Its results reach the host chunk by chunk and are reduced there,
    by the CPU's own code: so statistics do not depend on the backend where trajectories do not."""

    place = MappingProxyType({"backend": "cuda"})
    chunk_bytes = LAUNCH_BYTES
    most_workers = 4  #: one launches, the others reduce; each holds the results of a launch

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._head: tuple[Any, ...] | None = None

    def compiled(self, rule: RulePlan) -> Any:
        """The kernel, compiled at its first launch."""
        r, definition = self.request, rule.definition().unbound()
        sizes = numbers_per_thread(definition, r.problem)
        self.space_per_thread = 0 if own(definition, r.problem, r.dtype) else sum(sizes.values())
        return cuda_kernel(rule, r.problem, r.dtype, r.uniform_bits).run

    def level(self, workers: int) -> int:
        """The size of a launch, as the power of two of its blocks; the results do not depend on it."""
        records, wide = 8 * len(self.records), self.real.itemsize
        per_block = BLOCK * (records + (wide * len(self.records) * self.dim if self.snapshots else 0) + wide * self.space_per_thread)
        most = min(LAUNCH_UPDATES // self.updates, LAUNCH_BYTES // per_block, self.blocks)
        return max(0, int(most).bit_length() - 1)

    def simulate(self, first: int, count: int, stride: int, scattered: np.ndarray, results: tuple[np.ndarray, ...]) -> bool:
        """Fill losses, coordinates, divergences and first passages of trajectories first .. first + count - 1; False if it was stopped."""
        if self.stop[0]:
            return False
        with _one_at_a_time:  # while other threads reduce what they fetched
            if self._head is None:
                self._head = tuple(_there(value) for value in self.head[1:])
            losses, snapshots, since, passage = results
            there = [_there(scattered), cuda.device_array(max(1, self.space_per_thread * stride), self.real)]
            there += [cuda.device_array(max(1, array.size), array.dtype) for array in (losses, snapshots)]
            there += [_there(since), _there(passage)]
            blocks = -(-count // THREADS)
            self.kernel[blocks, THREADS](first, count, stride, stride, *self._head, *there)
            for host, device in zip(results, there[-4:], strict=True):
                if host.size:
                    device.copy_to_host(host)
        return True


def _there(value: Any) -> Any:
    """An array on the device, of at least one element; numbers as they are."""
    if not isinstance(value, np.ndarray):
        return value
    return cuda.to_device(value if value.size else np.zeros((1,) * value.ndim, value.dtype))
