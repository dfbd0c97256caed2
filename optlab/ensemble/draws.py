"""From random words to random variables, over lanes: branch-free, the same bits for every width.

The functions are plain Python over :mod:`optlab.codegen.lanes`; a word is a 64-bit integer whose low 32 bits count.
``real`` is NumPy's float type of the results.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optlab.codegen.lanes import bits, fma, narrow, real, real32, signed32, sqrt, to_float, unsigned32

_LOW = 0xFFFFFFFF
_EXPONENT_52 = 0x4330000000000000  # the bits of 2^52: with a 32-bit integer in its low half, the float64 2^52 + integer
_ROOT_HALF = 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2)
_BIAS = 1024 << 52
_TOP_12 = 0xFFF << 52
_SIGN = 1 << 63

# Minimax polynomials (Remez), to within a relative error of 6e-14 (float64) and 5e-8 (float32) of the result:
# artanh s = s + s^3 QUOTIENT(s^2), -2 log(1 + f) = -2 f + f^2 LOG_SINGLE(f), sin x = x + x^3 SIN(x^2), cos x = 1 + x^2 COS(x^2)
QUOTIENT = (0.33333333337897875, 0.19999997811885953, 0.14286054465769574, 0.11088099528708749, 0.09791995302463442)
SIN = (
    -0.1666666666652861,
    0.008333333322438576,
    -0.00019841266978123083,
    2.7556973108218247e-06,
    -2.5030929311821546e-08,
    1.541952440572893e-10,
)
COS = (
    -0.49999999999993117, 0.04166666666595422, -0.0013888888863934472, 2.4801583156378786e-05, -2.755695075723881e-07,
    2.0858735233745333e-09, -1.1012492364608089e-11,
)  # fmt: skip
LOG_SINGLE = (
    0.9999998314263798, -0.6666789708425008, 0.5000351581819097, -0.3992426323530044, 0.3314094286391401, -0.2983472290759176,
    0.2861521020798831, -0.17473234519424627,
)  # fmt: skip
SIN_SINGLE = (-0.16666660462949706, 0.00833308818541008, -0.000198111142282539, 2.6089360216744155e-06)
COS_SINGLE = (-0.49999932299265204, 0.04166398965680778, -0.0013855928850622927, 2.3194424583659984e-05)


def horner(x: Any, coefficients: tuple[float, ...], number: Any) -> Any:
    """The polynomial with these coefficients, lowest first."""
    out = number(coefficients[-1])
    for c in coefficients[-2::-1]:
        out = fma(out, x, number(c))
    return out


def minus_two_log(u: Any, number: Any) -> Any:
    """``-2 log u`` of a number in (0, 1]; at least zero."""
    if number is np.float32:
        shifted = signed32(bits(u)) - 0x3F3504F3
        exponent = to_float(shifted >> 23, number)
        f = real32(unsigned32(signed32(bits(u)) - ((shifted >> 23) << 23))) - number(1)
        tail = fma(f * f, horner(f, LOG_SINGLE, number), number(-2) * f)
        return fma(exponent, number(-2 * math.log(2)), tail)
    shifted = bits(u) + (_BIAS - _ROOT_HALF)  # the exponent, plus 1024, in the top 12 bits
    exponent = real((shifted >> 52) | _EXPONENT_52) - number(2.0**52 + 1024)
    f = real(bits(u) + _BIAS - (shifted & _TOP_12)) - number(1)
    part = number(-4) * (f / (number(2) + f))  # log(1 + f) = 2 artanh(f / (2 + f))
    square = part * part * number(1 / 16)
    return fma(exponent, number(-2 * math.log(2)), fma(part * square, horner(square, QUOTIENT, number), part))


def uniform(word: Any, number: Any) -> Any:
    """Uniform on (0, 1]: (word + 1/2) 2^-32; in single precision from the word's first 31 bits, rounded (1 can occur)."""
    if number is np.float32:
        return fma(to_float(signed32(narrow(word) >> 1), number), number(2.0**-31), number(2.0**-32))
    return fma(real((word & _LOW) | _EXPONENT_52), number(2.0**-32), number(-(2.0**20 - 2.0**-33)))


def uniform53(high: Any, low: Any) -> Any:
    """Uniform on (0, 1]: 53 bits of two words, plus half a unit, times 2^-53; small values keep all their bits."""
    fine = fma(real(((low & _LOW) >> 11) | _EXPONENT_52), 2.0**-53, -(2.0**-1 - 2.0**-54))
    return fma(real((high & _LOW) | _EXPONENT_52) - 2.0**52, 2.0**-32, fine)


def radius(word: Any, number: Any) -> Any:
    """The distance from the origin of two N(0, 1) numbers: the root of -2 log u; at most 6.77."""
    return sqrt(minus_two_log(uniform(word, number), number))


def direction(word: Any, number: Any) -> tuple[Any, Any]:
    """Cosine and sine of a uniform angle: 31 bits choose it in (-pi/2, pi/2), the first bit the sign of the cosine."""
    if number is np.float32:
        half = narrow(word)
        angle = fma(to_float(signed32((half << 1) ^ 0x80000000), number), number(math.pi / 2**32), number(math.pi / 2**32))
        square = angle * angle
        sine = fma(angle * square, horner(square, SIN_SINGLE, number), angle)
        cosine = fma(square, horner(square, COS_SINGLE, number), number(1))
        return real32(bits(cosine) ^ (half & 0x80000000)), sine
    centered = real((word & 0x7FFFFFFF) | _EXPONENT_52) - number(2.0**52 + 2.0**30)
    angle = fma(centered, number(math.pi / 2**31), number(math.pi / 2**32))
    square = angle * angle
    sine = fma(angle * square, horner(square, SIN, number), angle)
    cosine = fma(square, horner(square, COS, number), number(1))
    return real(bits(cosine) ^ ((word << 32) & _SIGN)), sine


def normal_pair(first: Any, second: Any, number: Any) -> tuple[Any, Any]:
    """Two independent N(0, 1) numbers from two words (Box & Muller, Ann. Math. Statist. 29, 1958); at most 6.77 in size."""
    size = radius(first, number)
    cosine, sine = direction(second, number)
    return size * cosine, size * sine


def normals(words: tuple[Any, Any, Any, Any], number: Any) -> tuple[Any, ...]:
    """Four N(0, 1) numbers from the four words of a block."""
    return (*normal_pair(words[0], words[1], number), *normal_pair(words[2], words[3], number))


def normals53(words: tuple[Any, Any, Any, Any], number: Any) -> tuple[Any, ...]:
    """Two N(0, 1) numbers from the four words of a block, the radius from 53 bits: at most 8.65 in size."""
    size = sqrt(minus_two_log(uniform53(words[0], words[1]), number))
    cosine, sine = direction(words[2], number)
    return size * cosine, size * sine


def student_pair(words: tuple[Any, Any, Any, Any], number: Any, dof: Any) -> tuple[Any, ...]:
    """Two independent Student t numbers of ``dof`` degrees of freedom from a block (Bailey, Math. Comp. 62(206), 1994)."""
    return student(uniform(words[0], number), words[1], number, dof), student(uniform(words[2], number), words[3], number, dof)


def student53(words: tuple[Any, Any, Any, Any], number: Any, dof: Any) -> tuple[Any, ...]:
    """One Student t number from a block, its size from 53 bits."""
    return (student(uniform53(words[0], words[1]), words[2], number, dof),)


def student(u: Any, word: Any, number: Any, dof: Any) -> Any:
    """``cos(2 pi v) sqrt(dof (u^(-2/dof) - 1))``, which is t-distributed exactly for uniform u and v."""
    from optlab.codegen.elementary import expm1

    cosine, _ = direction(word, number)
    return cosine * sqrt(dof * expm1(minus_two_log(u, number) / dof))
