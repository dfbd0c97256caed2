"""Numba's simulator with another way to run a block: its own polls a thread of the machine for every thread of the block.

A kernel that never waits for its block runs one thread after another; one that does runs in threads which meet at a barrier. What a kernel
computes does not depend on it, unless it forgets to wait.
"""

import threading
from unittest import mock

import numpy as np
from numba.cuda.simulator import kernel


def _waits(function):
    """Whether a kernel, or what it calls, waits for its block."""
    return "syncthreads" in function.__code__.co_names or "whole" in function.__code__.co_names


class Place:
    """What a simulated thread knows of itself."""

    def __init__(self, block, thread):
        self.blockIdx, self.threadIdx = kernel.Dim3(*block), kernel.Dim3(*thread)


class Thread(threading.Thread):
    def __init__(self, manager, place, args):
        super().__init__(daemon=True)
        self.manager, self.args, self.error = manager, args, None
        self.blockIdx, self.threadIdx = place.blockIdx, place.threadIdx

    def run(self):
        try:
            self.manager._f(*self.args)
        except BaseException as error:
            self.error = error
            self.manager.barrier.abort()

    def syncthreads(self):
        self.manager.barrier.wait()


class Blocks(kernel.BlockManager):
    def run(self, grid_point, *args):
        args = [getattr(getattr(arg, "_item", None), "_ary", arg) for arg in args]  # arrays as they are: many times as fast
        places = [Place(grid_point, point) for point in np.ndindex(*self._block_dim)]
        if not _waits(self._f):
            thread = threading.current_thread()
            for place in places:
                thread.blockIdx, thread.threadIdx = place.blockIdx, place.threadIdx
                self._f(*args)
            return
        self.barrier = threading.Barrier(len(places))
        threads = [Thread(self, place, args) for place in places]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        errors = [thread.error for thread in threads if thread.error is not None]
        real = [error for error in errors if not isinstance(error, threading.BrokenBarrierError)]
        if errors:
            raise (real or errors)[0]


def quick():
    """A context in which blocks run so."""
    return mock.patch.object(kernel, "BlockManager", Blocks)
