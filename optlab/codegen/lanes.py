"""Lanes: code over SIMD vectors by construction, traced from plain Python functions.

A traced function (:mod:`optlab.codegen.tracing`) is ordinary Python over numbers and arrays: ``load``, arithmetic, ``fma``,
``select``, ``store``.
Called from Numba code it is run once, at compile time, on :class:`Vector` values that write down LLVM's vector
instructions as they are combined; called from Python it computes on plain numbers, one lane at a time. So the mathematics
is written once, nothing is left to an auto-vectorizer, compiling takes little more than LLVM's own time, and the order of
the operations, hence every bit, is the same for every width and on every machine with IEEE arithmetic.

LLVM splits a vector over as many registers as the machine needs.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba.core import types as numba_types
from numba.core.datamodel import models
from numba.core.extending import register_model

types: Any = numba_types  # Numba makes many of its names at run time


@cache
def register_bits() -> int:
    """The width of this machine's vector registers that pays: 512 with AVX-512, 256 with AVX, else 128."""
    features = binding.get_host_cpu_features()
    return 512 if features.get("avx512f") and features.get("avx512dq") else 256 if features.get("avx2") else 128


class Lanes(types.Type):
    """Numba's type of a vector: ``width`` numbers of one Numba type, side by side."""

    def __init__(self, dtype: Any, width: int) -> None:
        self.dtype, self.width = dtype, width
        super().__init__(name=f"Lanes({dtype}, {width})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Lanes) -> None:
        super().__init__(manager, kind, ir.VectorType(llvm_type(kind.dtype), kind.width))


def llvm_type(dtype: Any) -> ir.Type:
    """LLVM's type of one number of Numba's type."""
    if dtype == types.float64:
        return ir.DoubleType()
    if dtype == types.float32:
        return ir.FloatType()
    return ir.IntType(1 if dtype == types.boolean else dtype.bitwidth)


_WORDS = (types.int64, types.uint64)  #: of one size: they meet as bits, under the sign of the first


class Vector:
    """A number, or ``width`` of them, in code that is being written. ``kind`` is the Numba type of one."""

    __array_ufunc__ = None  # NumPy's numbers leave mixed arithmetic to this class

    def __init__(self, builder: Any, value: Any, kind: Any, width: int) -> None:
        self.builder, self.value, self.kind, self.width = builder, value, kind, width

    def _new(self, value: Any, kind: Any = None) -> Vector:
        return Vector(self.builder, value, self.kind if kind is None else kind, self.width)

    def _type(self, kind: Any = None) -> ir.Type:
        one = llvm_type(self.kind if kind is None else kind)
        return ir.VectorType(one, self.width) if self.width > 1 else one

    def like(self, other: Any) -> Vector:
        """``other`` as a vector of this kind and width: a number stands in every lane."""
        if not isinstance(other, Vector):
            number = float(other) if isinstance(self.kind, types.Float) else int(other)
            one = ir.Constant(llvm_type(self.kind), number)
            return self._new(ir.Constant(self._type(), [one] * self.width) if self.width > 1 else one)
        if other.kind in _WORDS and self.kind in (types.int32, types.uint32) and other.width == 1:  # numbers of 32 bits arrive in 64
            other = Vector(self.builder, self.builder.trunc(other.value, ir.IntType(32)), self.kind, 1)
        if other.kind != self.kind and not (other.kind in _WORDS and self.kind in _WORDS):
            raise TypeError(f"{other.kind} meets {self.kind} in lanes: convert one of them")
        if other.width == self.width:
            return other
        if other.width != 1:
            raise TypeError(f"{other.width} lanes meet {self.width}")
        return self._new(_spread(self.builder, other.value, self._type()))

    def _pair(self, other: Any) -> tuple[Vector, Vector]:
        if isinstance(other, Vector) and other.width > self.width:
            return other.like(self), other
        return self, self.like(other)

    def _binary(self, other: Any, real: str, whole: str, swap: bool = False) -> Vector:
        if not isinstance(other, (Vector, int, float, np.number, np.bool_)):
            return NotImplemented
        left, right = self._pair(other)
        left, right = (right, left) if swap else (left, right)
        name = real if isinstance(left.kind, types.Float) else whole
        if not name:
            raise TypeError(f"no such operation on lanes of {left.kind}")
        return left._new(getattr(self.builder, name)(left.value, right.value))

    def __add__(self, other: Any) -> Vector:
        return self._binary(other, "fadd", "add")

    def __radd__(self, other: Any) -> Vector:
        return self._binary(other, "fadd", "add", swap=True)

    def __sub__(self, other: Any) -> Vector:
        return self._binary(other, "fsub", "sub")

    def __rsub__(self, other: Any) -> Vector:
        return self._binary(other, "fsub", "sub", swap=True)

    def __mul__(self, other: Any) -> Vector:
        return self._binary(other, "fmul", "mul")

    def __rmul__(self, other: Any) -> Vector:
        return self._binary(other, "fmul", "mul", swap=True)

    def __truediv__(self, other: Any) -> Vector:
        return self._binary(other, "fdiv", "")

    def __rtruediv__(self, other: Any) -> Vector:
        return self._binary(other, "fdiv", "", swap=True)

    def __and__(self, other: Any) -> Vector:
        return self._binary(other, "", "and_")

    __rand__ = __and__

    def __or__(self, other: Any) -> Vector:
        return self._binary(other, "", "or_")

    __ror__ = __or__

    def __xor__(self, other: Any) -> Vector:
        return self._binary(other, "", "xor")

    __rxor__ = __xor__

    def __lshift__(self, other: Any) -> Vector:
        return self._binary(other, "", "shl")

    def __rshift__(self, other: Any) -> Vector:
        return self._binary(other, "", "ashr" if getattr(self.kind, "signed", False) else "lshr")

    def __neg__(self) -> Vector:
        return self._new(self.builder.fneg(self.value) if isinstance(self.kind, types.Float) else self.builder.neg(self.value))

    def __abs__(self) -> Vector:
        return _call("fabs", self)

    def _compare(self, other: Any, sign: str) -> Vector:
        left, right = self._pair(other)
        if isinstance(left.kind, types.Float):
            compare = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        else:
            compare = self.builder.icmp_signed if getattr(left.kind, "signed", False) else self.builder.icmp_unsigned
        return left._new(compare(sign, left.value, right.value), types.boolean)

    def __lt__(self, other: Any) -> Vector:
        return self._compare(other, "<")

    def __le__(self, other: Any) -> Vector:
        return self._compare(other, "<=")

    def __gt__(self, other: Any) -> Vector:
        return self._compare(other, ">")

    def __ge__(self, other: Any) -> Vector:
        return self._compare(other, ">=")

    def __eq__(self, other: object) -> Vector:  # type: ignore[override]
        return self._compare(other, "==")

    def __ne__(self, other: object) -> Vector:  # type: ignore[override]
        return self._compare(other, "!=")

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("lanes have no single truth value: use select(mask, x, y)")


def _spread(builder: Any, value: Any, vector: Any) -> Any:
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)


def _call(name: str, *args: Vector) -> Vector:
    """Call the LLVM intrinsic of this name."""
    first = args[0]
    suffix = ("f" if isinstance(first.kind, types.Float) else "i") + str(first.kind.bitwidth)
    symbol = f"llvm.{name}." + (f"v{first.width}{suffix}" if first.width > 1 else suffix)
    module = first.builder.module
    function = module.globals.get(symbol) or ir.Function(module, ir.FunctionType(first._type(), [first._type()] * len(args)), symbol)
    return first._new(first.builder.call(function, [arg.value for arg in args]))


def _meet(*args: Any) -> list[Vector] | None:
    """The arguments as vectors of one kind and width, or None if they are all plain numbers."""
    found = [a for a in args if isinstance(a, Vector)]
    if not found:
        return None
    widest = max(found, key=lambda a: a.width)
    return [widest.like(a) for a in args]


def fma(x: Any, y: Any, z: Any) -> Any:
    """``x y + z``, rounded once."""
    vectors = _meet(x, y, z)
    if vectors:
        return _call("fma", *vectors)
    if not all(isinstance(a, (float, np.floating)) for a in (x, y, z)) or not all(map(math.isfinite, (x, y))):
        return x * y + z
    if not math.isfinite(z):
        return z
    exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
    if abs(exact) >= 2**1024 - 2**970:
        return type(z)(math.copysign(math.inf, exact))
    value = float(exact)
    if isinstance(z, np.float32) and Fraction(value) != exact and not bits(value) & 1:  # odd: rounding once more leads nowhere astray
        value = math.nextafter(value, math.inf if Fraction(value) < exact else -math.inf)
    return type(z)(value) if exact else x * y + z


def sqrt(x: Any) -> Any:
    """The square root, correctly rounded; NaN below zero."""
    if isinstance(x, Vector):
        return _call("sqrt", x)
    return type(x)(math.sqrt(x) if x >= 0 else math.nan)


def floor(x: Any) -> Any:
    """The largest whole number that is not above ``x``, as a float."""
    return _call("floor", x) if isinstance(x, Vector) else type(x)(math.floor(x) if math.isfinite(x) else x)


def ceil(x: Any) -> Any:
    """The least whole number that is not below ``x``, as a float."""
    return _call("ceil", x) if isinstance(x, Vector) else type(x)(math.ceil(x) if math.isfinite(x) else x)


def rint(x: Any) -> Any:
    """The nearest whole number as a float, ties to the even one."""
    return _call("roundeven", x) if isinstance(x, Vector) else type(x)(round(x) if math.isfinite(x) else x)


def select(mask: Any, x: Any, y: Any) -> Any:
    """``x`` where the mask holds, else ``y``; both are computed."""
    if not isinstance(mask, Vector):
        return x if mask else y
    vectors = _meet(x, y)
    if vectors is None:
        raise TypeError("select needs a vector among its two values")
    left, right = vectors
    if left.width < mask.width:
        wide = Vector(mask.builder, None, left.kind, mask.width)
        left, right = wide.like(left), wide.like(right)
    elif mask.width < left.width:
        mask = Vector(mask.builder, None, types.boolean, left.width).like(mask)
    return left._new(mask.builder.select(mask.value, left.value, right.value))


def _twin(kind: Any, make: str) -> Any:
    return getattr(types, f"{make}{kind.bitwidth}")


def _recast(x: Vector, make: str) -> Vector:
    kind = _twin(x.kind, make)
    return x._new(x.builder.bitcast(x.value, x._type(kind)), kind)


def bits(x: Any) -> Any:
    """The bits of a float as an unsigned integer."""
    if isinstance(x, Vector):
        return _recast(x, "uint")
    single = isinstance(x, np.float32)
    return struct.unpack("<I" if single else "<Q", struct.pack("<f" if single else "<d", x))[0]


def real(x: Any) -> Any:
    """The float64 with these bits (the float32, of a vector of 32-bit integers)."""
    return _recast(x, "float") if isinstance(x, Vector) else struct.unpack("<d", struct.pack("<Q", x & (2**64 - 1)))[0]


def real32(x: Any) -> Any:
    """The float32 with these bits."""
    return _recast(x, "float") if isinstance(x, Vector) else np.float32(struct.unpack("<f", struct.pack("<I", x & (2**32 - 1)))[0])


def signed(x: Any) -> Any:
    """The same 64 bits (or 32, of such a vector) as a signed integer."""
    if isinstance(x, Vector):
        return _recast(x, "int")
    return (x + 2**63) % 2**64 - 2**63


def signed32(x: Any) -> Any:
    """The same 32 bits as a signed integer."""
    return _recast(x, "int") if isinstance(x, Vector) else (x + 2**31) % 2**32 - 2**31


def unsigned32(x: Any) -> Any:
    """The same 32 bits as an unsigned integer."""
    return _recast(x, "uint") if isinstance(x, Vector) else x % 2**32


def narrow(x: Any) -> Any:
    """The low 32 bits of a 64-bit word."""
    if not isinstance(x, Vector):
        return x % 2**32
    return x._new(x.builder.trunc(x.value, x._type(types.uint32)), types.uint32)


def widen(x: Any) -> Any:
    """A float as float64, exactly."""
    if not isinstance(x, Vector):
        return float(x)
    return x if x.kind == types.float64 else x._new(x.builder.fpext(x.value, x._type(types.float64)), types.float64)


def to_float(x: Any, real: Any) -> Any:
    """An integer as a float of NumPy's type ``real``, rounded to nearest."""
    if not isinstance(x, Vector):
        return real(x)
    kind = getattr(types, np.dtype(real).name)
    convert = x.builder.sitofp if x.kind.signed else x.builder.uitofp
    return x._new(convert(x.value, x._type(kind)), kind)


def interleave(x: Any, y: Any) -> Any:
    """``x0, y0, x1, y1, ...`` in one vector of twice the width."""
    order = ir.Constant(ir.VectorType(ir.IntType(32), 2 * x.width), [k // 2 + x.width * (k % 2) for k in range(2 * x.width)])
    return Vector(x.builder, x.builder.shuffle_vector(x.value, y.value, order), x.kind, 2 * x.width)


def store_in_turn(array: Any, index: Any, rows: Any) -> None:
    """Store four vectors so that their first lanes come first, then their second ones: as a table, column by column."""
    if isinstance(rows[0], Vector):
        store(array, index, interleave(interleave(rows[0], rows[2]), interleave(rows[1], rows[3])))
    else:
        for k, row in enumerate(rows):
            array[index + k] = row


def halves(x: Any) -> tuple[Any, Any]:
    """The first and the last half of the lanes."""
    half = x.width // 2
    if half == 1:
        ends = [x.builder.extract_element(x.value, ir.Constant(ir.IntType(32), k)) for k in (0, 1)]
    else:
        masks = [ir.Constant(ir.VectorType(ir.IntType(32), half), list(range(k, k + half))) for k in (0, half)]
        ends = [x.builder.shuffle_vector(x.value, x.value, mask) for mask in masks]
    return Vector(x.builder, ends[0], x.kind, half), Vector(x.builder, ends[1], x.kind, half)


def fold(x: Any, combine: Callable[[Any, Any], Any]) -> Any:
    """One number from all lanes, halves first: ``combine(combine(x0, x2), combine(x1, x3))`` of four."""
    while isinstance(x, Vector) and x.width > 1:
        x = combine(*halves(x))
    return x


def total(x: Any) -> Any:
    """The sum over the lanes, halves first."""
    return fold(x, lambda a, b: a + b)


def totals(vectors: Any) -> Any:
    """The sums over the lanes of as many vectors as each has lanes, as one vector; each is summed as :func:`total` does it."""
    width = len(vectors)
    if width == 1:
        return vectors[0]
    first = vectors[0]
    builder, rows, lanes = first.builder, list(vectors), width
    while len(rows) > 1:  # two vectors of sums side by side become one of half as many lanes each
        half, joined = lanes // 2, []
        for a, b in zip(rows[::2], rows[1::2], strict=True):
            groups = [range(start, start + lanes) for start in range(0, 2 * width, lanes)]  # of a, then of b
            picks = [[index for group in groups for index in group[part : part + half]] for part in (0, half)]
            parts = [
                first._new(builder.shuffle_vector(a.value, b.value, ir.Constant(ir.VectorType(ir.IntType(32), width), pick)))
                for pick in picks
            ]
            joined.append(parts[0] + parts[1])
        rows, lanes = joined, half
    return rows[0]


def any_of(mask: Any) -> Any:
    """Whether the mask holds in any lane."""
    if not isinstance(mask, Vector) or mask.width == 1:
        return mask
    whole = mask.builder.bitcast(mask.value, ir.IntType(mask.width))
    return Vector(mask.builder, mask.builder.icmp_unsigned("!=", whole, ir.Constant(whole.type, 0)), types.boolean, 1)


def spread(x: Any, like: Any) -> Any:
    """``x`` in every lane of a vector of the kind of ``like``."""
    return like.like(x) if isinstance(like, Vector) else x


class VectorArray:
    """A contiguous one-dimensional array in code that is being written."""

    def __init__(self, builder: Any, data: Any, kind: Any) -> None:
        self.builder, self.data, self.kind = builder, data, kind

    def _place(self, index: Any, kind: ir.Type) -> Any:
        place = self.builder.gep(self.data, [index.value if isinstance(index, Vector) else ir.Constant(ir.IntType(64), index)])
        return self.builder.bitcast(place, kind.as_pointer())

    def load(self, index: Any, width: int) -> Vector:
        out = Vector(self.builder, None, self.kind, width)
        out.value = self.builder.load(self._place(index, out._type()), align=self.kind.bitwidth // 8)
        return out

    def store(self, index: Any, value: Vector) -> None:
        if value.kind != self.kind and not (value.kind in _WORDS and self.kind in _WORDS):
            raise TypeError(f"lanes of {value.kind} do not fit an array of {self.kind}")
        self.builder.store(value.value, self._place(index, value._type()), align=self.kind.bitwidth // 8)


def load(array: Any, index: Any, width: int) -> Any:
    """``width`` consecutive numbers of a one-dimensional array, from ``index`` on (in Python: the one number there)."""
    if isinstance(array, VectorArray):
        return array.load(index, width)
    value = array[index]
    return int(value) if isinstance(value, np.integer) else value


def store(array: Any, index: Any, value: Any) -> None:
    """Write a vector (in Python: a number) to a one-dimensional array, from ``index`` on."""
    if isinstance(array, VectorArray):
        array.store(index, value)
    else:
        array[index] = value


def count_up(start: Any, width: int) -> Any:
    """``start, start + 1, ...`` as 64-bit words."""
    if not isinstance(start, Vector):
        return start
    vector = Vector(start.builder, None, types.uint64, width).like(start)
    steps = ir.Constant(vector._type(), [ir.Constant(ir.IntType(64), k) for k in range(width)]) if width > 1 else None
    return vector if steps is None else vector._new(start.builder.add(vector.value, steps))


def unsigned(x: Any) -> Any:
    """The same 64 bits (or 32, of such a vector) as an unsigned integer."""
    return _recast(x, "uint") if isinstance(x, Vector) else x % 2**64


def zeros(like: Any, width: int, real: Any) -> Any:
    """A vector of zeros of NumPy's type ``real``; ``like`` is anything in the code that is being written."""
    if not isinstance(like, (Vector, VectorArray)):
        return real(0)
    return Vector(like.builder, None, getattr(types, np.dtype(real).name), width).like(0)


def maximum(x: Any, y: Any) -> Any:
    """The larger of two numbers; NaN where either is."""
    return select((x > y) | (x != x), x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two numbers; NaN where either is."""
    return select((x < y) | (x != x), x, y)


def sign(x: Any) -> Any:
    """1, -1, or the argument itself at zero and at NaN."""
    one = type(x)(1) if not isinstance(x, Vector) else 1.0
    return select(x > 0, one, select(x < 0, -one, x))
