"""bfloat16 on CUDA: numbers of 16 bits in memory, products on tensor cores, everything between in float32.

An array of ``uint16`` holds bfloat16 numbers: the upper halves of float32 ones. Code over lanes that takes ``load`` and ``store`` from here
instead of :mod:`optlab.codegen.lanes` reads such an array as float32 and rounds to nearest, ties to even, where it writes
(``cvt.rn.bf16``); other arrays are read and written as they are.

Products are ``mma.sync.aligned.m16n8k16`` (bfloat16 factors, float32 sums) on fragments that ``ldmatrix`` brings from shared memory; the
layouts are those of the PTX ISA, sections "Matrix Fragments for mma.m16n8k16" and "ldmatrix". Both are done by the 32 threads of a warp
together, so a function that uses them is ``collective``: every thread of the warp calls it at the same place. Needs compute capability 8.0.

Numba's simulator has no tensor cores: there ``emulator``, if there is one, stands for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from optlab.codegen import lanes
from optlab.codegen.cuda import traced
from optlab.codegen.lanes import Vector, VectorArray, types

CAPABILITY = (8, 0)  #: of a device that has these instructions
WARP = 32  #: threads that do them together

#: In the simulator, what computes ``matrices`` and ``mma`` of a whole warp, on arrays of 32 numbers; None: nothing does.
emulator: Any = None

_BYTE2, _WORD4, _WORD8 = ir.IntType(16), ir.IntType(32), ir.IntType(64)


def is_bf16(array: Any) -> bool:
    """Whether an array (or one in code that is being written) holds bfloat16 numbers."""
    return bool(array.kind == types.uint16 if isinstance(array, VectorArray) else array.dtype == np.uint16)


def widened(bits: Any) -> Any:
    """The float32 that a bfloat16 number is, of its 16 bits.

    >>> float(widened(np.uint16(0x3FC0)))
    1.5
    """
    if not isinstance(bits, Vector):
        return np.uint32(int(bits) << 16).view(np.float32)
    word = bits.builder.shl(bits.builder.zext(bits.value, _WORD4), ir.Constant(_WORD4, 16))
    return bits._new(bits.builder.bitcast(word, ir.FloatType()), types.float32)


def rounded(x: Any) -> Any:
    """The 16 bits of the bfloat16 number nearest to a float32, the even one of two; infinity from 2^128 - 2^119 on.

    >>> [hex(rounded(np.float32(x))) for x in (1.5, 1 + 2**-8, 1 + 3 * 2**-8, -3e38, float("nan"))]
    ['0x3fc0', '0x3f80', '0x3f82', '0xff62', '0x7fff']
    """
    if isinstance(x, Vector):
        kind = ir.FunctionType(_BYTE2, [ir.FloatType()])
        return x._new(x.builder.asm(kind, "cvt.rn.bf16.f32 $0, $1;", "=h,f", [x.value], False), types.uint16)
    if np.isnan(x):
        return np.uint16(0x7FFF)
    word = int(np.float32(x).view(np.uint32))
    return np.uint16((word + 0x7FFF + (word >> 16 & 1)) >> 16)


def load(array: Any, index: Any, width: int) -> Any:
    """A number of the array, as float32 if it is a bfloat16 one."""
    return widened(lanes.load(array, index, width)) if is_bf16(array) else lanes.load(array, index, width)


def store(array: Any, index: Any, value: Any) -> None:
    """Write a number, rounded if the array holds bfloat16 ones."""
    lanes.store(array, index, rounded(value) if is_bf16(array) else value)


def as_stored(array: Any, value: Any) -> Any:
    """The number that reading the array gives back once ``value`` stands there."""
    return widened(rounded(value)) if is_bf16(array) else value


def copy_where(inside: Any, target: Any, place: Any, source: Any, at: Any, count: int) -> None:
    """``count`` numbers of ``source`` from ``at`` on, zeros where not ``inside``, into bfloat16 ones from ``place`` on.

    ``source`` is read in any case. Both places are multiples of ``count``, 1 or 8; of float32 numbers (which are rounded) one at a time.
    """
    if not isinstance(target, VectorArray):
        found = source[at : at + count] if is_bf16(source) else [rounded(x) for x in source[at : at + count]]
        target[place : place + count] = found if inside else 0
        return
    builder = target.builder
    if count == 1:
        bits = lanes.load(source, at, 1) if is_bf16(source) else rounded(lanes.load(source, at, 1))
        lanes.store(target, place, lanes.select(inside, bits, 0))
        return
    if count != 8 or not is_bf16(source):
        raise TypeError("bfloat16 numbers are copied by eights, float32 ones singly")
    four = ir.VectorType(_WORD4, 4)
    found = builder.load(source._place(at, four), align=16)
    builder.store(builder.select(inside.value, found, ir.Constant(four, [0] * 4)), target._place(place, four), align=16)


def store_pairs_where(there: Any, array: Any, at: Any, apart: int, pairs: list[tuple[Any, Any]]) -> None:
    """Where ``there``, write pairs of float32 numbers: the first from the even place ``at`` on, each next one ``apart`` numbers behind.

    They are rounded if the array holds bfloat16 numbers.
    """
    if not isinstance(array, VectorArray):
        for k, (x, y) in enumerate(pairs if there else ()):
            store(array, at + k * apart, x)
            store(array, at + k * apart + 1, y)
        return
    builder = array.builder
    with builder.if_then(there.value):
        for k, (x, y) in enumerate(pairs):
            if is_bf16(array):
                kind = ir.FunctionType(_WORD4, [ir.FloatType(), ir.FloatType()])
                both = builder.asm(kind, "cvt.rn.bf16x2.f32 $0, $2, $1;", "=r,f,f", [x.value, y.value], False)  # $2 is the upper half
                builder.store(both, array._place(at + k * apart, _WORD4), align=4)
            else:
                two = ir.VectorType(ir.FloatType(), 2)
                both = builder.insert_element(ir.Constant(two, ir.Undefined), x.value, ir.Constant(_WORD4, 0))
                both = builder.insert_element(both, y.value, ir.Constant(_WORD4, 1))
                builder.store(both, array._place(at + k * apart, two), align=8)


def anew(x: Any) -> Any:
    """A whole number, out of LLVM's sight: what is computed from it is not kept in registers from one turn of a loop to the next."""
    if not isinstance(x, Vector):
        return x
    return x._new(x.builder.asm(ir.FunctionType(_WORD8, [_WORD8]), "mov.b64 $0, $1;", "=l,l", [x.value], True))


def collective(function: Callable[..., Any]) -> Any:
    """As :func:`optlab.codegen.cuda.traced`, for a function that the threads of a warp call together."""
    made = traced(function)
    made.collective = True
    return made


def _together(builder: Any, results: list[Any], text: str, constraint: str, values: list[Any]) -> list[Any]:
    """An instruction of the whole warp, which LLVM neither moves into a branch nor past a write to memory."""
    call = builder.asm(ir.FunctionType(ir.LiteralStructType(results), [v.type for v in values]), text, constraint, values, True)
    call.attributes.add("convergent")
    return [builder.extract_value(call, k) for k in range(len(results))]


def matrices(array: Any, at: Any, offset: int, turned: bool) -> tuple[Any, ...]:
    """Four 8 x 8 matrices of bfloat16 numbers in shared memory, by ``ldmatrix``: a register of each.

    Lane 8 m + r says where row r of matrix m begins: at ``at + offset``, a multiple of 8. Lane 4 i + j gets the numbers 2 j and 2 j + 1 of
    row i of each matrix (of column i, if ``turned``), the first one in the lower half.
    """
    if not isinstance(array, VectorArray):
        return emulator.matrices(array, at, offset, turned)
    builder = array.builder
    place = builder.addrspacecast(array._place(at, _BYTE2), ir.PointerType(_BYTE2, 3))
    place = builder.trunc(builder.ptrtoint(place, _WORD8), _WORD4)
    text = f"ldmatrix.sync.aligned.m8n8.x4{'.trans' * turned}.shared.b16 {{$0, $1, $2, $3}}, [$4 + {2 * offset}];"
    found = _together(builder, [_WORD4] * 4, text, "=r,=r,=r,=r,r,~{memory}", [place])
    return tuple(Vector(builder, value, types.uint32, 1) for value in found)


def mma(a: tuple[Any, ...], b: tuple[Any, ...], c: tuple[Any, ...]) -> tuple[Any, ...]:
    """``A B + C`` of a warp: A 16 x 16 and B 16 x 8 of bfloat16 numbers in fragments of 4 and 2 registers, C of 4 float32 numbers."""
    if not isinstance(c[0], Vector):
        return emulator.mma(a, b, c)
    builder = c[0].builder
    text = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};"
    values = [item.value for item in (*a, *b, *c)]
    found = _together(builder, [ir.FloatType()] * 4, text, "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f", values)
    return tuple(Vector(builder, value, types.float32, 1) for value in found)


__all__ = [
    "CAPABILITY", "WARP", "anew", "as_stored", "collective", "copy_where", "is_bf16", "load",
    "matrices", "mma", "rounded", "store", "store_pairs_where", "widened",
]  # fmt: skip
