"""exp, expm1, sinh, cosh, tanh and erf: ``x = k ln 2 + r`` with whole ``k``, and a polynomial in ``r``.

The reduction is Cody & Waite's (Software Manual for the Elementary Functions, 1980) with fused multiply-adds; the
forms that keep what the sums round off are those of Muller, Elementary Functions (3rd ed. 2016), chapters 4, 8 and 11.
"""

from __future__ import annotations

from typing import Any

from optlab.codegen.elementary.format import Format, at_least, at_most, const, elementary, format_of
from optlab.codegen.lanes import bits, fma, select


def reduced(f: Format, x: Any) -> tuple[Any, Any, Any]:
    """``magic + k``, ``k``, and ``x - k ln2[0]``, exactly, for the whole ``k`` nearest to ``x / ln 2``."""
    whole = fma(x, f.log2e, f.magic)
    k = whole - f.magic
    return whole, k, fma(k, -f.ln2[0], x)


def exp_sum(f: Format, x: Any, low: Any = None) -> Any:
    """``exp(x + low)``, where ``low`` is small; subnormal results are right, outside ``exp_range`` all is 0 or infinite."""
    x = at_most(at_least(x, f.exp_range[0]), f.exp_range[1])
    whole, k, high = reduced(f, x)
    rest = k * -f.ln2[1] if low is None else fma(k, -f.ln2[1], low)
    r = high + rest
    most = r + 1.0
    value = most + fma(r * r, f.polynomial("EXP", r), ((1.0 - most) + high) + rest)
    # 2**k may be no normal number: 2**(k + 64) * 2**-64 below, 2**(k - 64) * 2**64 above
    k_bits, shift, below = bits(whole) << f.precision, 64 << f.precision, x < 0.0
    power = f.real(k_bits + select(below, const(k_bits, f.one + shift), f.one - shift))
    return value * power * select(below, const(x, f.number(2.0**-64)), f.number(2.0**64))


def half_expm1(f: Format, x: Any, low: Any = None) -> tuple[Any, Any, Any, Any]:
    """``(exp(x + low) - 1) / 2`` as a sum of two; then ``k``, and ``exp(x + low) - 1`` where ``k`` is 0."""
    whole, k, high = reduced(f, x)
    r = fma(k, -f.ln2[1], high)
    tail = fma(k, -f.ln2[1], high - r)
    tail = fma(r * r, f.polynomial("EXP", r), tail if low is None else tail + low)
    p = r + tail
    rest = (r - p) + tail
    half = f.real((bits(whole) << f.precision) + (f.one - (1 << f.precision)))  # 2**(k - 1)
    most = (half - 0.5) + half * p
    return most, fma(half, rest, ((half - 0.5) - most) + half * p), k, p


@elementary
def exp(x: Any) -> Any:
    """The exponential: error at most 1 ulp over the whole range, in both formats; subnormal results are right.

    Reference: Cody & Waite 1980, chapter 6.

    >>> exp(1.0), exp(-800.0), exp(800.0)
    (2.718281828459045, 0.0, inf)
    """
    return exp_sum(format_of(x), x)


@elementary
def expm1(x: Any) -> Any:
    """``exp(x) - 1``, without cancellation: error at most 2 ulp over the whole range, in both formats.

    Reference: Muller, Elementary Functions, section 11.2.

    >>> expm1(1e-20), expm1(-0.0), expm1(-100.0)
    (1e-20, -0.0, -1.0)
    """
    f = format_of(x)
    most, least, k, p = half_expm1(f, at_most(at_least(x, f.expm1_low), f.exp_range[1]))
    return f.real(bits(select(k == 0.0, p, 2.0 * (most + least))) | f.sign_of(x))


def _hyperbolic(f: Format, x: Any) -> tuple[Any, Any, Any, Any]:
    """Of ``x = k ln 2 + r >= 0``: 2**k/4, 2**-k/4 (0 where it does not count), sinh r, cosh r - 1."""
    whole, k, high = reduced(f, at_most(x, f.sinh_high))
    r = fma(k, -f.ln2[1], high)
    z = r * r
    k_bits, quarter = bits(whole) << f.precision, f.one - (2 << f.precision)
    up, down = f.real(k_bits + quarter), select(x < 30.0, f.real(quarter - k_bits), f.number(0))  # 2**(k - 2), 2**(-k - 2)
    s = r + fma(r * z, f.polynomial("SINH", z), fma(k, -f.ln2[1], high - r))
    return up, down, s, z * f.polynomial("COSH", z)


@elementary
def sinh(x: Any) -> Any:
    """The hyperbolic sine: error at most 2 ulp over the whole range, in both formats.

    ``sinh(k ln 2 + r) = sinh(k ln 2) cosh r + cosh(k ln 2) sinh r``, without a division.

    >>> sinh(-0.0), sinh(1.0), sinh(-1000.0)
    (-0.0, 1.1752011936438014, -inf)
    """
    f = format_of(x)
    a = abs(x)
    up, down, s, c = _hyperbolic(f, a)
    big_sinh, big_cosh = up - down, up + down
    value = 2.0 * (big_sinh + fma(big_sinh, c, fma(big_cosh, s, (up - big_sinh) - down)))
    return f.flip(select(a < f.number(2.0 ** -(f.precision // 2 + 2)), a, value), f.sign_of(x))


@elementary
def cosh(x: Any) -> Any:
    """The hyperbolic cosine: error at most 2 ulp over the whole range, in both formats.

    ``cosh(k ln 2 + r) = cosh(k ln 2) cosh r + sinh(k ln 2) sinh r``, without a division.

    >>> cosh(0.0), cosh(1.0), cosh(-1000.0)
    (1.0, 1.5430806348152437, inf)
    """
    up, down, s, c = _hyperbolic(format_of(x), abs(x))
    big_sinh, big_cosh = up - down, up + down
    return 2.0 * (big_cosh + fma(big_cosh, c, fma(big_sinh, s, (up - big_cosh) + down)))


@elementary
def tanh(x: Any) -> Any:
    """The hyperbolic tangent: error at most 2 ulp over the whole range, in both formats.

    With ``h = expm1(2 |x|) / 2`` kept as a sum of two numbers, ``h / (h + 1)`` and one step that mends its rounding.

    >>> tanh(0.5), tanh(-0.0), tanh(-30.0)
    (0.46211715726000974, -0.0, -1.0)
    """
    f = format_of(x)
    a = at_most(abs(x), f.tanh_high)
    h, low, _, _ = half_expm1(f, a + a)
    d = h + 1.0
    d_low = (h - (d - 1.0)) + low
    inverse = 1.0 / d
    y = h * inverse
    error = fma(-y, d, h) + fma(-y, d_low, low)
    return f.flip(fma(error, inverse, y), f.sign_of(x))


@elementary
def erf(x: Any) -> Any:
    """The error function: error at most 2 ulp over the whole range, in both formats.

    ``erf x = -expm1(-y)``, where ``y = -log(1 - erf x) = x (2/sqrt(pi) + x V(x))`` is kept as a sum of two numbers
    and ``V``, smooth on the whole half line, is one polynomial: its error counts less and less as ``exp(-y)`` falls.

    >>> erf(0.5), erf(-0.0), erf(-10.0)
    (0.5204998778130465, -0.0, -1.0)
    """
    f = format_of(x)
    a = at_most(abs(x), f.erf_high)
    rise = a * f.polynomial("ERF", a)
    slope = rise + f.erf_slope[0]
    y = a * slope
    low = fma(a, slope, -y) + a * (((f.erf_slope[0] - slope) + rise) + f.erf_slope[1])
    most, least, k, p = half_expm1(f, -y, -low)
    return f.flip(select(k == 0.0, 0.0 - p, -2.0 * (most + least)), f.sign_of(x))
