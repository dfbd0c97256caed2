"""Traced functions on CUDA: the same plain Python over numbers, one trajectory to a thread; and whether there is a device.

Sums, differences and products are written as ``add.rn`` and ``mul.rn``: NVVM and ptxas would contract plain ones to fused multiply-adds
where they see fit, and these they leave. So each operation rounds as on the CPU. Under Numba's simulator (``NUMBA_ENABLE_CUDASIM=1``)
the functions are the plain Python that they are. Importing this module needs neither numba-cuda nor a device.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache, wraps
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from llvmlite import ir

from optlab.codegen.tracing import definition
from optlab.errors import MissingDependencyError

INSTALL = "pip install 'optlab[cuda13]' (driver 580 or newer) or 'optlab[cuda12]'"


def simulated() -> bool:
    """Whether Numba's simulator stands for the device."""
    from numba.core import config

    return bool(config.ENABLE_CUDASIM)


def installed() -> bool:
    """Whether the package that drives CUDA is here."""
    return find_spec("numba_cuda") is not None


def driver() -> bool:
    """Whether an NVIDIA driver is here."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


@cache
def reason_without() -> str | None:
    """Why there is no CUDA here, in one line with the mend; None if a device answers (or the simulator stands for it)."""
    if not installed():
        return f"numba-cuda is not installed: {INSTALL}"
    if simulated():
        return None
    if not driver():
        return "no NVIDIA driver answers: run on a machine with a CUDA device, or use backend='cpu'"
    from numba import cuda

    try:
        from numba.cuda.cudadrv.nvvm import NVVM

        NVVM()
    except Exception as error:  # of several types, by the way in which it is missing
        return f"the CUDA toolkit's compiler is missing ({_first_line(error)}): {INSTALL}"
    try:
        if not cuda.is_available():
            return f"the NVIDIA driver finds no usable device ({_first_line(cuda.cuda_error())}): see nvidia-smi"
        cuda.current_context()
    except Exception as error:  # the driver's errors are of many types
        return f"the CUDA device cannot be used ({_first_line(error)}): see nvidia-smi"
    return None


def _first_line(error: object) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def require() -> None:
    """Raise MissingDependencyError, in one line, unless CUDA can be used here."""
    reason = reason_without()
    if reason is not None:
        raise MissingDependencyError(f"backend 'cuda': {reason}")


def device_name() -> str:
    """The device that kernels run on, in words."""
    if simulated():
        return "Numba's CUDA simulator"
    from numba import cuda

    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
    return f"{name}, compute capability {'.'.join(map(str, device.compute_capability))}, numba-cuda {version('numba-cuda')}"


#: LLVM's functions that NVVM does not know, and libdevice's that do the same.
_LIBDEVICE = {"fabs": "fabs", "floor": "floor", "ceil": "ceil", "roundeven": "rint"}


class Rounding:
    """An IR builder that rounds each sum, difference and product on its own, whatever NVVM would fuse."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def _rounded(self, name: str, x: Any, y: Any) -> Any:
        if isinstance(x.type, ir.VectorType):
            raise TypeError("a CUDA thread computes on single numbers: trace with one lane")
        symbol = f"llvm.nvvm.{name}.rn.{'d' if isinstance(x.type, ir.DoubleType) else 'f'}"
        module = self._builder.module
        function = module.globals.get(symbol) or ir.Function(module, ir.FunctionType(x.type, [x.type, x.type]), symbol)
        return self._builder.call(function, [x, y])

    def fadd(self, x: Any, y: Any) -> Any:
        """``x + y``."""
        return self._rounded("add", x, y)

    def fsub(self, x: Any, y: Any) -> Any:
        """``x - y``."""
        return self._rounded("add", x, self.fneg(y))

    def fmul(self, x: Any, y: Any) -> Any:
        """``x y``."""
        return self._rounded("mul", x, y)

    def call(self, function: Any, args: Any, *rest: Any, **options: Any) -> Any:
        """A call; of LLVM's functions that NVVM lacks, libdevice's."""
        known, *parts = function.name.split(".")
        if known == "llvm" and parts[0] in _LIBDEVICE:
            symbol = f"__nv_{_LIBDEVICE[parts[0]]}{'f' if parts[1] == 'f32' else ''}"
            module = self._builder.module
            function = module.globals.get(symbol) or ir.Function(module, function.function_type, symbol)
        return self._builder.call(function, args, *rest, **options)

    def fneg(self, x: Any) -> Any:
        """``-x``; NVVM's dialect has no such instruction, and reads this as one."""
        return self._builder.fsub(ir.Constant(x.type, -0.0), x)


def traced(function: Callable[..., Any]) -> Any:
    """Make a plain Python function over lanes callable from a CUDA kernel, at one lane; see :func:`optlab.codegen.tracing.traced`."""
    if simulated():
        return _plain(function)
    from numba.cuda.extending import intrinsic

    made = intrinsic(definition(function, Rounding))
    made.body = function
    return made


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself, its whole numbers Python's: NumPy's overflow."""

    @wraps(function)
    def run(*args: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*(int(a) if isinstance(a, np.integer) else a for a in args))

    return run


def njit(function: Any = None, **options: Any) -> Any:
    """What ``njit`` is on the CPU: a device function, inlined where it is called. Options of the CPU's compiler mean nothing here."""
    if function is None:
        return njit
    from numba import cuda

    return cuda.jit(device=True, inline=True if simulated() else "always")(function)


def kernel(function: Callable[..., Any]) -> Any:
    """A kernel, kept on disk beside its source once it is compiled."""
    from numba import cuda

    return cuda.jit(function) if simulated() else cuda.jit(cache=True)(function)
