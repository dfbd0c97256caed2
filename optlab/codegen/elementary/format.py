"""What the elementary functions know of float64 and float32, and how they take lanes or plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from optlab.codegen import lanes
from optlab.codegen.elementary.coefficients import DOUBLE, SINGLE
from optlab.codegen.lanes import Vector, bits, fma, select


@dataclass(frozen=True)
class Format:
    """A binary floating-point format: its layout, its constants, and the coefficients rounded to it.

    A constant in parts, largest first, is their unevaluated sum; ``ln2[0]`` ends in zeros, so that its product with any
    exponent is exact (Cody & Waite, Software Manual for the Elementary Functions, 1980).
    """

    number: Any  #: NumPy's type
    real: Callable[[Any], Any]  #: from bits to the number
    width: int  #: bits of a number
    precision: int  #: bits of the significand behind the point
    bias: int  #: of the exponent
    ln2: tuple[Any, Any]
    log2e: Any
    half_pi: tuple[Any, Any, Any]
    two_over_pi: Any
    two_thirds: tuple[Any, Any]
    erf_slope: tuple[Any, Any]  #: 2/sqrt(pi)
    exp_range: tuple[Any, Any]  #: below the first exp is 0, above the second infinite
    sinh_high: Any  #: above it sinh and cosh are infinite
    expm1_low: Any  #: below it expm1 is -1
    tanh_high: Any  #: above it tanh is 1
    erf_high: Any  #: above it erf is 1
    coefficients: dict[str, tuple[Any, ...]]

    @property
    def magic(self) -> Any:
        """1.5 * 2**precision: added to a number, it leaves the nearest whole number in the lowest bits."""
        return self.number(1.5 * 2.0**self.precision)

    @property
    def sign(self) -> int:
        """The sign's bit."""
        return 1 << (self.width - 1)

    @property
    def one(self) -> int:
        """The bits of 1."""
        return self.bias << self.precision

    def flip(self, x: Any, signs: Any) -> Any:
        """``x`` with these sign bits flipped."""
        return self.real(bits(x) ^ signs)

    def sign_of(self, x: Any) -> Any:
        """The sign bit of ``x``, alone."""
        return bits(x) & self.sign

    def polynomial(self, name: str, x: Any) -> Any:
        """The named polynomial at ``x``."""
        return estrin(self.coefficients[name], x)


def _format(number: Any, table: dict[str, tuple[float, ...]], **rest: Any) -> Format:
    def rounded(value: Any) -> Any:
        return (
            tuple(map(number, value)) if isinstance(value, tuple) else value if callable(value) or isinstance(value, int) else number(value)
        )

    return Format(number=number, coefficients={k: rounded(v) for k, v in table.items()}, **{k: rounded(v) for k, v in rest.items()})


F64 = _format(
    np.float64, DOUBLE, real=lanes.real, width=64, precision=52, bias=1023,
    ln2=(0.6931471805598903, 5.497923018708371e-14), log2e=1.4426950408889634,
    half_pi=(1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33), two_over_pi=0.6366197723675814,
    two_thirds=(0.6666666666666666, 3.700743415417188e-17), erf_slope=(1.1283791670955126, 1.533545961316588e-17),
    exp_range=(-746.0, 710.0), sinh_high=710.6, expm1_low=-40.0, tanh_high=20.0, erf_high=6.0,
)  # fmt: skip
F32 = _format(
    np.float32, SINGLE, real=lanes.real32, width=32, precision=23, bias=127,
    ln2=(0.693145751953125, 1.428606765330187e-06), log2e=1.4426950216293335,
    half_pi=(1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15), two_over_pi=0.6366197466850281,
    two_thirds=(0.6666666865348816, -1.9868215517249155e-08), erf_slope=(1.128379225730896, -5.8635382771399236e-08),
    exp_range=(-104.0, 89.0), sinh_high=89.5, expm1_low=-20.0, tanh_high=10.0, erf_high=4.0,
)  # fmt: skip


def format_of(x: Any) -> Format:
    """The format of a vector's kind; a plain ``np.float32`` is single, any other plain number double."""
    if isinstance(x, Vector):
        return F32 if x.kind.bitwidth == 32 else F64
    return F32 if isinstance(x, np.float32) else F64


def horner(coefficients: Sequence[Any], x: Any) -> Any:
    """A polynomial, lowest power first, one fused multiply-add after another."""
    value = fma(coefficients[-1], x, coefficients[-2])
    for c in coefficients[-3::-1]:
        value = fma(value, x, c)
    return value


def estrin(coefficients: Sequence[Any], x: Any) -> Any:
    """A polynomial, lowest power first, by halves that do not wait for each other (Estrin 1960)."""
    terms = list(coefficients)
    while len(terms) > 1:
        pairs = [fma(terms[i + 1], x, terms[i]) for i in range(0, len(terms) - 1, 2)]
        terms = pairs + terms[2 * len(pairs) :]
        x = x * x if len(terms) > 1 else x
    return terms[0]


def const(like: Any, number: Any) -> Any:
    """A number of the kind of ``like``, in each of its lanes."""
    return like.like(number) if isinstance(like, Vector) else type(like)(number)


def at_most(x: Any, high: Any) -> Any:
    """``min(x, high)``; NaN stays."""
    return select(x > high, const(x, high), x)


def at_least(x: Any, low: Any) -> Any:
    """``max(x, low)``; NaN stays."""
    return select(x < low, const(x, low), x)


Function = TypeVar("Function", bound=Callable[..., Any])


def elementary(function: Function) -> Function:
    """Let a function of one format take lanes, mixed with plain numbers, or plain numbers alone.

    A plain ``np.float32`` gives an ``np.float32``, any other number a Python float; neither warns.
    """

    @wraps(function)
    def over(*args: Any) -> Any:
        vectors = [a for a in args if isinstance(a, Vector)]
        if vectors:
            widest = max(vectors, key=lambda a: a.width)
            return function(*[widest.like(a) for a in args])
        number = np.float32 if all(isinstance(a, np.float32) for a in args) else np.float64
        with np.errstate(all="ignore"):
            value = function(*map(number, args))
        return np.float32(value) if number is np.float32 else float(value)

    return over  # type: ignore[return-value]
