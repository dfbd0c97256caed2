"""Numba's simulator with another way to run a block: its own polls a thread of the machine for every thread of the block.

Here a thread is a generator which stops where the kernel waits for its block, so all of a block's threads run in turn up to each wait.
Threads that do not wait equally often, which on a device may hang, are an error. A function that a warp computes together
(:func:`optlab.codegen.cuda_bf16.collective`) is run once for its 32 threads, on arrays over them, where all of them stand at it.
"""

import inspect
import sys
import textwrap
import threading
from contextlib import contextmanager
from functools import cache
from unittest import mock

import numpy as np
from numba.cuda.np import numpy_support
from numba.cuda.simulator import kernel, kernelapi

_WAIT = "cuda.syncthreads()"
_CALLED = "whole"  #: the one function that waits and is called by kernels
_WARP = 32


def _source(function):
    text = textwrap.dedent(inspect.getsource(function))
    return text[text.index("def ") :].replace(_WAIT, "yield").replace(f"= {_CALLED}(", f"= yield from waiting_{_CALLED}(")


@cache
def as_generator(function):
    """The kernel as a generator function, which yields where it waits; None if it never does."""
    space = function.__globals__
    if f"waiting_{_CALLED}" not in space and _CALLED in space:
        text = _source(space[_CALLED].fn).replace(f"def {_CALLED}", f"def waiting_{_CALLED}")
        exec(compile(text, f"<waiting {_CALLED} {space['__name__']}>", "exec"), space)
    text = _source(function)
    for name, value in space.items():
        if getattr(value, "collective", False):
            text = text.replace(f"= {name}(", f"= yield {name}, (")
    if "yield" not in text:
        return None
    kept, text = space.get(function.__name__), text + "    yield\n"
    exec(compile(text, f"<{function.__name__} {space['__name__']}>", "exec"), space)
    made, space[function.__name__] = space[function.__name__], kept
    return made


def together(asked):
    """What a warp's threads get of the function that each of them asks for."""
    functions = {request[0] if isinstance(request, tuple) else None for request in asked}
    if len(asked) != _WARP or len(functions) != 1:
        raise RuntimeError(f"{len(asked)} threads of a warp do not stand at one function, but at {functions}")
    given = []
    for values in zip(*(arguments for _, arguments in asked), strict=True):
        if isinstance(values[0], np.ndarray):
            given.append(values[0])
        else:
            given.append(tuple(map(np.array, zip(*values, strict=True))) if isinstance(values[0], tuple) else np.array(values))
    return zip(*functions.pop()(*given), strict=True)


class Blocks(kernel.BlockManager):
    def run(self, grid_point, *args):
        args = [getattr(getattr(arg, "_item", None), "_ary", arg) for arg in args]  # arrays as they are: many times as fast
        thread, made = threading.current_thread(), as_generator(self._f)
        thread.blockIdx = kernel.Dim3(*grid_point)
        if made is None:
            for point in np.ndindex(*self._block_dim):
                thread.threadIdx = kernel.Dim3(*point)
                self._f(*args)
            return

        def on(place, generator, answer=None):
            thread.threadIdx = place
            try:
                return generator.send(answer)
            except StopIteration:
                return self

        running = [(kernel.Dim3(*point), made(*args)) for point in np.ndindex(*self._block_dim)]
        while running:
            going = []
            for start in range(0, len(running), _WARP):
                warp = running[start : start + _WARP]
                found = [on(*one) for one in warp]
                while any(isinstance(request, tuple) for request in found):
                    found = [on(*one, answer) for one, answer in zip(warp, together(found), strict=True)]
                going += [one for one, request in zip(warp, found, strict=True) if request is not self]
            if going and len(going) != len(running):
                raise RuntimeError(
                    f"{len(running) - len(going)} of {len(running)} threads of {self._f.__name__} do not wait for the others"
                )
            running = going


def shared_array(self, shape, dtype, alignment=None):
    """As the simulator's own, which finds the line that asks by writing out the stack: half of a kernel's time."""
    frame = sys._getframe(1)
    place = (frame.f_code, frame.f_lineno)
    if place not in self._allocations:
        self._allocations[place] = np.empty(shape, numpy_support.as_dtype(dtype))
    return self._allocations[place]


@contextmanager
def quick():
    """A context in which blocks run so."""
    with mock.patch.object(kernel, "BlockManager", Blocks), mock.patch.object(kernelapi.FakeCUDAShared, "array", shared_array):
        yield
