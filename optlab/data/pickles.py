"""Reading a pickle of plain values and byte arrays without running anything in it.

A pickle may name any function and have it called. This reader admits a handful of names, and has its own stand-in for
each, which does no more than hold what it is given. Arrays are put together here, from their bytes.
"""

from __future__ import annotations

import codecs
import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from optlab.errors import InputError

LARGEST = 200_000_000  #: bytes; the published files have 31 MB


class _Kind:
    """Stands for ``numpy.dtype``: the type's code, such as ``u1``."""

    def __init__(self, code: Any = "", *rest: Any) -> None:
        self.code = code.decode("ascii", "replace") if isinstance(code, bytes) else str(code)
        self.order = "|"

    def __setstate__(self, state: Any) -> None:
        self.order = str(state[1], "ascii") if isinstance(state[1], bytes) else str(state[1])


class _Array:
    """Stands for ``numpy.ndarray``: what the pickle says of it."""

    value: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        if not isinstance(kind, _Kind) or kind.code.lstrip("|<>=") not in ("u1", "i8", "i4", "i2", "i1") or fortran:
            raise pickle.UnpicklingError("an array of other than plain whole numbers")
        if isinstance(content, str):
            content = content.encode("latin-1")
        if not isinstance(content, bytes) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise pickle.UnpicklingError("an array without bytes")
        dtype = np.dtype(("<" if kind.order == "<" else ">" if kind.order == ">" else "=") + kind.code.lstrip("|<>="))
        if math.prod(shape) * dtype.itemsize != len(content):
            raise pickle.UnpicklingError("an array whose shape and bytes do not fit")
        self.value = np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("text in another encoding than latin1")
    return codecs.encode(text, "latin-1")


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any) -> _Array:
    out = _Array()
    out.__setstate__((1, shape, kind, order != "C", bytes(content)))
    return out


_ADMITTED: dict[tuple[str, str], Any] = {
    **{(module, "_reconstruct"): _reconstruct for module in ("numpy.core.multiarray", "numpy._core.multiarray")},
    **{(module, "_frombuffer"): _from_buffer for module in ("numpy.core.numeric", "numpy._core.numeric")},
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _encode,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ADMITTED:
            return _ADMITTED[module, name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no plain data")


def read_pickle(path: Path) -> Any:
    """What the pickle holds: plain values, with arrays as arrays and Python 2's texts as bytes.

    Raises InputError naming the file: it cannot be read, is cut short, is no pickle, or holds more than plain data.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path}: {path.stat().st_size:,} bytes is more than a CIFAR-10 batch can have (31 MB)")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a folder that you may read") from None
    try:
        return _settled(_Reader(io.BytesIO(content), encoding="bytes").load())
    except EOFError:
        raise InputError(f"{path}: the file is truncated: download it again") from None
    except pickle.UnpicklingError as error:
        said = str(error)
        reason = f"not read: {said}" if said.startswith(("it names", "an array", "text")) else "this is no pickle of a CIFAR-10 batch"
        reason = "the file is truncated: download it again" if "truncated" in said else reason
        raise InputError(f"{path}: {reason}") from None
    except Exception as error:  # a foreign file can make the reader fail in any way
        raise InputError(f"{path}: this is no pickle of a CIFAR-10 batch ({type(error).__name__})") from None


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _settled(item) for key, item in value.items()}
    if isinstance(value, _Array):
        return value.value
    return value
