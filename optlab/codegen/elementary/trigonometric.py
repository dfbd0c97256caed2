"""sin, cos, tan, and the inverses atan, asin, acos.

The circular functions subtract the multiple ``k pi/2`` in three parts, with fused multiply-adds, of which the first is exact
(Cody & Waite, Software Manual for the Elementary Functions, 1980; Muller, Elementary Functions, 3rd ed. 2016, section 11.2).
"""

from __future__ import annotations

from typing import Any

from optlab.codegen.elementary.format import Format, at_least, at_most, const, elementary, format_of
from optlab.codegen.lanes import bits, fma, select, sqrt


def _multiple(f: Format, x: Any) -> tuple[Any, Any, Any]:
    """The whole ``k`` nearest to ``x / (pi/2)``: as the lowest bits of a word, as a number, and ``x - k half_pi[0]``, exactly."""
    whole = fma(x, f.two_over_pi, f.magic)
    k = whole - f.magic
    return bits(whole), k, fma(k, -f.half_pi[0], x)


def _reduced(f: Format, x: Any) -> tuple[Any, Any]:
    """``k`` and ``x - k pi/2``, kept in [-1, 1] where ``x`` is too large for it to be right."""
    k_bits, k, first = _multiple(f, x)
    r = fma(k, -f.half_pi[2], fma(k, -f.half_pi[1], first))
    return k_bits, at_most(at_least(r, -1.0), 1.0)


def _reduced_pair(f: Format, x: Any) -> tuple[Any, Any, Any]:
    """``k`` and ``x - k pi/2`` as a sum of two."""
    k_bits, k, first = _multiple(f, x)
    p = k * f.half_pi[1]
    most = first - p
    back = most - first
    least = ((first - (most - back)) - (p + back)) - fma(k, f.half_pi[2], fma(k, f.half_pi[1], -p))
    r = most + least
    return k_bits, r, (most - r) + least


def _sine_or_cosine(f: Format, k: Any, r: Any) -> Any:
    """``sin(k pi/2 + r)``."""
    z = r * r
    sine = fma(r * z, f.polynomial("SIN", z), r)
    half = z * 0.5
    first = 1.0 - half
    cosine = first + fma(z * z, f.polynomial("COS", z), (1.0 - first) - half)
    return f.flip(select((k & 1) != 0, cosine, sine), (k & 2) << (f.width - 2))


@elementary
def sin(x: Any) -> Any:
    """The sine: error at most 2 ulp for ``|x| <= 2**20``; larger, the reduction fails by and by and any value in [-1, 1] may result.

    Of infinity it is NaN.

    >>> sin(1.0), sin(-0.0), abs(sin(1e300)) <= 1
    (0.8414709848078965, -0.0, True)
    """
    f = format_of(x)
    return f.flip(_sine_or_cosine(f, *_reduced(f, abs(x))), f.sign_of(x))


@elementary
def cos(x: Any) -> Any:
    """The cosine: error at most 2 ulp for ``|x| <= 2**20``; larger, the reduction fails by and by and any value in [-1, 1] may result.

    Of infinity it is NaN.

    >>> cos(0.0), cos(1.0), abs(cos(1e300)) <= 1
    (1.0, 0.5403023058681398, True)
    """
    f = format_of(x)
    k, r = _reduced(f, x)
    return _sine_or_cosine(f, k + 1, r)


@elementary
def tan(x: Any) -> Any:
    """The tangent: error at most 2 ulp for ``|x| <= 2**20``; larger, the reduction fails by and by and the value means nothing.

    ``tan r``, or ``-1 / tan r`` in every second quadrant. Of infinity it is NaN.

    >>> tan(1.0), tan(-0.0)
    (1.5574077246549023, -0.0)
    """
    f = format_of(x)
    k, r, low = _reduced_pair(f, abs(x))
    z = r * r
    w = fma(r * z, f.polynomial("TAN", z), fma(z, low, low))
    t = r + w
    odd = (k & 1) != 0
    over, under = select(odd, f.number(-1), t), select(odd, t, f.number(1))
    y = over / under
    error = fma(-y, under, over) - y * select(odd, (r - t) + w, f.number(0))  # 0 unless odd, where 1/under is -y
    return f.flip(fma(-error, y, y), f.sign_of(x))


@elementary
def atan(x: Any) -> Any:
    """The inverse tangent: error at most 2 ulp over the whole range, in both formats.

    A polynomial up to 1, ``pi/2 - atan(1/x)`` above. Reference: Muller, Elementary Functions, section 11.1.

    >>> atan(1.0), atan(-0.0), atan(float("-inf"))
    (0.7853981633974483, -0.0, -1.5707963267948966)
    """
    f = format_of(x)
    a = abs(x)
    above = a > 1.0
    t = select(above, f.number(-1), a) / select(above, a, f.number(1))
    z = t * t
    most = select(above, const(x, f.half_pi[0]), f.number(0))
    least = select(above, const(x, f.half_pi[1]), f.number(0))
    return f.flip(most + (t + fma(t * z, f.polynomial("ATAN", z), least)), f.sign_of(x))


def _arcs(f: Format, a: Any) -> tuple[Any, Any, Any]:
    """Whether ``a > 1/2``; then ``s + w = asin(sqrt((1 - a)/2))``, else ``asin(a)``, as ``s`` and ``w``."""
    above = a > 0.5
    z = select(above, (1.0 - a) * 0.5, a * a)
    s = select(above, sqrt(z), a)
    return above, s, s * z * f.polynomial("ASIN", z)


@elementary
def asin(x: Any) -> Any:
    """The inverse sine: error at most 2 ulp, in both formats; NaN outside [-1, 1].

    Above 1/2, ``pi/2 - 2 asin(sqrt((1 - x)/2))``. Reference: Cody & Waite 1980, chapter 10.

    >>> asin(0.5), asin(-0.0), asin(2.0)
    (0.5235987755982989, -0.0, nan)
    """
    f = format_of(x)
    above, s, w = _arcs(f, abs(x))
    most = fma(s, -2.0, f.half_pi[0])
    least = fma(s, -2.0, f.half_pi[0] - most) + fma(w, -2.0, f.half_pi[1])
    return f.flip(select(above, most + least, s + w), f.sign_of(x))


@elementary
def acos(x: Any) -> Any:
    """The inverse cosine: error at most 2 ulp, in both formats; NaN outside [-1, 1].

    ``pi/2 - asin x``, and ``2 asin(sqrt((1 - x)/2))`` above 1/2. Reference: Cody & Waite 1980, chapter 10.

    >>> acos(0.5), acos(1.0), acos(2.0)
    (1.0471975511965979, 0.0, nan)
    """
    f = format_of(x)
    above, s, w = _arcs(f, abs(x))
    signs = select(above, const(bits(x), 0), f.sign_of(x))
    rest = (f.half_pi[0] - f.flip(s, signs)) + (f.half_pi[1] - f.flip(w, signs))
    return select(above, 2.0 * select(x < 0.0, rest, s + w), rest)
