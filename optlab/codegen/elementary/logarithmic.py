"""log, log1p and power: ``x = 2**k (1 + t)`` with ``1 + t`` in [sqrt(1/2), sqrt(2)), and a polynomial in ``t``."""

from __future__ import annotations

import math
from typing import Any

from optlab.codegen.elementary.exponential import exp_sum
from optlab.codegen.elementary.format import Format, const, elementary, format_of
from optlab.codegen.lanes import bits, floor, fma, select


def _split(f: Format, x: Any) -> tuple[Any, Any, Any]:
    """Of a positive number: ``k``, its bits as ``k + bias``, and ``1 + t``; subnormal numbers included."""
    tiny = x < f.number(2.0 ** (1 - f.bias))
    low = bits(f.number(math.sqrt(0.5)))
    i = bits(select(tiny, x * f.number(2.0 ** (f.precision + 2)), x)) + (f.one - low)
    whole = 2.0**f.precision  # its bits take a whole number below
    k_bits = i >> f.precision
    k = f.real(k_bits | bits(f.number(whole)))
    k = k - select(tiny, const(k, f.number(whole + f.bias + f.precision + 2)), f.number(whole + f.bias))
    return k, k_bits, f.real((i & ((1 << f.precision) - 1)) + low)


def _log_sum(f: Format, k: Any, t: Any) -> Any:
    """``k ln 2 + log(1 + t)``."""
    return fma(k, f.ln2[0], t + fma(t * t, f.polynomial("LOG", t), k * f.ln2[1]))


def _at_ends(f: Format, x: Any, value: Any) -> Any:
    """The logarithm's ``value`` at ``x``, with infinity, zero, negative numbers and NaN put right."""
    value = select(x < f.number(math.inf), value, x)
    return select(x > 0.0, value, select(x == 0.0, const(x, f.number(-math.inf)), f.number(math.nan)))


@elementary
def log(x: Any) -> Any:
    """The natural logarithm: error at most 2 ulp over the whole range, in both formats; subnormal arguments included.

    Reference: Cody & Waite 1980, chapter 5; Muller, Elementary Functions, section 11.2.

    >>> log(10.0), log(0.0), log(5e-324)
    (2.302585092994046, -inf, -744.4400719213812)
    """
    f = format_of(x)
    k, _, m = _split(f, x)
    return _at_ends(f, x, _log_sum(f, k, m - 1.0))


@elementary
def log1p(x: Any) -> Any:
    """``log(1 + x)``, without cancellation: error at most 2 ulp over the whole range, in both formats.

    ``k`` is taken from the rounded ``1 + x``, ``t = 2**-k x + (2**-k - 1)`` from ``x``.

    >>> log1p(1e-20), log1p(-0.0), log1p(-1.0)
    (1e-20, -0.0, -inf)
    """
    f = format_of(x)
    u = x + 1.0
    k, k_bits, m = _split(f, u)
    down = f.real((2 * f.bias << f.precision) - (k_bits << f.precision))  # 2**-k
    t = select(x < f.number(2.0 ** (f.precision + 4)), fma(down, x, down - 1.0), m - 1.0)
    return f.real(bits(_at_ends(f, u, _log_sum(f, k, t))) | f.sign_of(x))


def _log_pair(f: Format, x: Any) -> tuple[Any, Any]:
    """The logarithm of a positive number as a sum of two, with a relative error of about ``2**-13`` ulp."""
    k, _, m = _split(f, x)
    t = m - 1.0
    g = m + 1.0
    inverse = 1.0 / g
    s = t * inverse  # s + s_low = (m - 1)/(m + 1)
    s_low = fma(-s, m - (g - 1.0), fma(-s, g, t)) * inverse
    z = s * s
    z_low = fma(s + s, s_low, fma(s, s, -z))
    tail = z * f.polynomial("ATANH", z)  # log m = 2 s + s z (2/3 + tail)
    u = tail + f.two_thirds[0]
    u_low = ((f.two_thirds[0] - u) + tail) + f.two_thirds[1]
    w = z * u
    w_low = fma(z, u_low, fma(z_low, u, fma(z, u, -w)))
    q = s * w
    q_low = fma(s, w_low, fma(s_low, w, fma(s, w, -q)))
    whole, twice = k * f.ln2[0], s + s
    first = whole + twice
    high = first + q
    low = (((whole - first) + twice) + ((first - high) + q)) + (fma(k, f.ln2[1], s_low + s_low) + q_low)
    total = high + low
    return total, (high - total) + low


@elementary
def power(x: Any, y: Any) -> Any:
    """``x**y``, as C's ``pow``: error at most 1 ulp over the whole range, in both formats.

    A negative ``x`` with a whole ``y`` gives ``|x|**y`` with the sign of ``(-1)**y``, with any other ``y`` NaN;
    ``power(x, 0)`` and ``power(1, y)`` are 1 even for NaN. The logarithm is a sum of two numbers, and so is its product
    with ``y``. Reference: Muller, Elementary Functions, section 11.4 (the accuracy that log needs).

    >>> power(9.0, 0.5), power(-2.0, 3.0), power(-2.0, 0.5), power(0.0, -1.0)
    (3.0, -8.0, nan, inf)
    """
    f = format_of(x)
    infinity = f.number(math.inf)
    a = abs(x)
    high, low = _log_pair(f, a)
    high = select(a < infinity, high, a)
    high = select(a == 0.0, const(x, -infinity), high)
    product = y * high
    rest = fma(y, high, -product) + y * low
    value = exp_sum(f, product, select(abs(product) < 2048.0, rest, f.number(0)))
    half = y * 0.5
    odd = (y == floor(y)) & (half != floor(half))
    value = f.real(bits(value) | select(odd, f.sign_of(x), 0))
    value = select((x < 0.0) & (y != floor(y)) & (a < infinity), f.number(math.nan), value)
    return select((y == 0.0) | (x == 1.0) | ((x == -1.0) & (abs(y) == infinity)), f.number(1), value)
