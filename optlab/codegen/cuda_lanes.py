"""What code over lanes needs beside :mod:`optlab.codegen.lanes` where one thread of a CUDA device runs it.

Whole numbers are divided in 32 bits, numbers that stand side by side are read and written together, products are added with one rounding.
Called from Python (in Numba's simulator) the functions compute on plain numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from optlab.codegen.lanes import Vector, VectorArray, _call, _meet, load, store, types

_WORD, _HALF = ir.IntType(64), ir.IntType(32)


def multiply_add(x: Any, y: Any, z: Any) -> Any:
    """``x y + z``, rounded once on a device; in Python, where speed counts more than the last bit, twice."""
    if not (isinstance(z, Vector) or isinstance(x, Vector) or isinstance(y, Vector)):
        return x * y + z
    vectors = _meet(x, y, z)
    assert vectors is not None
    return _call("fma", *vectors)


def wide(x: Any) -> Any:
    """A float as float64, exactly; NumPy's float64 in Python, which float32 numbers do not narrow."""
    if not isinstance(x, Vector):
        return np.float64(x)
    return x if x.kind == types.float64 else x._new(x.builder.fpext(x.value, x._type(types.float64)), types.float64)


def divided(x: Any, by: Any) -> tuple[Any, Any]:
    """Quotient and remainder of a whole number in [0, 2^32) by another (known ones become products), in 32-bit arithmetic.

    >>> divided(17, 5)
    (3, 2)
    """
    if not isinstance(x, Vector):
        return int(x) // int(by), int(x) % int(by)
    known = not isinstance(by, Vector)
    if known and by == 1:
        return x, x._new(ir.Constant(_WORD, 0))
    short = x.builder.trunc(x.value, _HALF)
    number = ir.Constant(_HALF, by) if known else x.builder.trunc(by.value, _HALF)
    quotient = x.builder.udiv(short, number)
    rest = x.builder.sub(short, x.builder.mul(quotient, number))
    return x._new(x.builder.zext(quotient, _WORD)), x._new(x.builder.zext(rest, _WORD))


def load_side_by_side(array: Any, index: Any, count: int) -> tuple[Any, ...]:
    """``count`` numbers from ``index`` on, which is a multiple of ``count``, read together."""
    if not isinstance(array, VectorArray):
        return tuple(array[index : index + count])
    if count == 1:
        return (load(array, index, 1),)
    out = Vector(array.builder, None, array.kind, count)
    bytes_of = array.kind.bitwidth // 8 * count
    value = array.builder.load(array._place(index, out._type()), align=min(16, bytes_of))
    return tuple(Vector(array.builder, array.builder.extract_element(value, ir.Constant(_HALF, k)), array.kind, 1) for k in range(count))


def store_side_by_side(array: Any, index: Any, values: tuple[Any, ...]) -> None:
    """Write numbers from ``index`` on, a multiple of their count, together."""
    if not isinstance(array, VectorArray) or len(values) == 1:
        for k, value in enumerate(values):
            store(array, index + k, value)
        return
    whole = Vector(array.builder, None, array.kind, len(values))
    together = ir.Constant(whole._type(), ir.Undefined)
    for k, value in enumerate(values):
        together = array.builder.insert_element(together, value.value, ir.Constant(_HALF, k))
    array.builder.store(together, array._place(index, whole._type()), align=min(16, array.kind.bitwidth // 8 * len(values)))


def as_stored(array: Any, value: Any) -> Any:
    """The number that reading the array gives back once ``value`` stands there."""
    return value


def alike(values: tuple[Any, ...], like: Any) -> tuple[Any, ...]:
    """The values, of which some may be plain numbers, as numbers of the kind of ``like``."""
    return tuple(like.like(value) if isinstance(like, Vector) else value for value in values)


__all__ = ["alike", "as_stored", "divided", "load_side_by_side", "multiply_add", "store_side_by_side", "wide"]
