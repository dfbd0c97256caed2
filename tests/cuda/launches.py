"""What a launch on a device is given, where there is none: its arrays stay on the host, and its kernel is whatever stands in for it."""

from contextlib import contextmanager
from unittest import mock

import numba
import numpy as np
from numba.core import types

import optlab.ensemble.cuda as backend
import optlab.ensemble.cuda_reductions as reductions
from optlab.ensemble.specs import Request


class OnHost(np.ndarray):
    """Stands for an array on the device."""

    def copy_to_host(self, out):
        out[...] = np.asarray(self)


def _here(array):
    return np.array(array).view(OnHost)


@contextmanager
def without_device():
    """The launches of a :class:`CudaCell` keep their arrays on the host."""
    with (
        mock.patch.object(backend.cuda, "to_device", _here),
        mock.patch.object(backend.cuda, "device_array", lambda size, dtype: _here(np.full(size, 77, dtype))),
    ):
        yield


def request_of(rule, problem, **options):
    """The request that ``simulate`` makes of these arguments."""
    given = {
        "batch": 1, "seed": options.pop("rng", 0), "dtype": "float64", "record": "linear", "quantiles": (0.5,), "reach": (), "keep": 0,
        "outcomes": False, "coordinates": None, "common": False, "limit": 1e15, "uniform_bits": 32,
    }  # fmt: skip
    return Request.read(rule, problem, backend="cuda", plans=True, **(given | options))


def type_of(value):
    """Numba's type of an argument of a launch."""
    if isinstance(value, np.ndarray):
        return types.Array(numba.from_dtype(value.dtype), value.ndim, "C")
    return types.int64 if isinstance(value, int) else numba.typeof(value)


class Recorder:
    """Stands for a kernel: keeps what it is launched with."""

    def __getitem__(self, grid):
        self.grid = grid
        return self._launch

    def _launch(self, *args):
        self.args = args


def launches_of(rule, problem, **options):
    """The kernels that serve the arguments of ``simulate``, by name, and the types of what each is launched with.

    Of the reductions those over float32 numbers have that in their names; they are launched on what is nobody's result.
    """
    found = {}

    def note(name, threads, *arguments):
        kinds = tuple(map(type_of, arguments))
        single = " float32" * (kinds[0].dtype == types.float32)
        found[name + single] = (getattr(reductions.kernels(), name), kinds)

    with without_device(), mock.patch.object(backend, "launch", note), mock.patch.object(reductions, "launch", note):
        cell = backend.CudaCell(request_of(rule, problem, **({"keep": 1} | options)))
        kernel, cell.kernel = cell.kernel, Recorder()
        cell.new_tally()
        cell.run(0, 1)
        return found | {"run": (kernel, tuple(type_of(value) for value in cell.kernel.args))}
