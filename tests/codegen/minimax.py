"""Minimax polynomials by Remez's exchange: where the numbers in optlab/codegen/elementary/coefficients.py come from.

``python -m tests.codegen.minimax`` prints that file anew. Remez (1934); Muller, Elementary Functions, chapter 3.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import mpmath as mp
import numpy as np

DIGITS = 70


@dataclass(frozen=True)
class Fit:
    """``function`` is approximated on [low, high] so that ``weight * error`` is least in the largest."""

    function: Callable
    weight: Callable
    low: Callable
    high: Callable
    terms: dict[str, int]  #: number of coefficients per format
    bound: dict[str, int]  #: the weighted error is below 2**-bound, with the coefficients rounded to the format

    def grid(self, count):
        low, high = self.low(), self.high()
        return [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / count) for i in range(count + 1)]

    def error(self, coefficients, count=400):
        """The largest weighted error of a polynomial, on a Chebyshev grid."""
        c = [mp.mpf(float(a)) for a in reversed(coefficients)]
        return max(abs(self.weight(x) * (mp.polyval(c, x) - self.function(x))) for x in self.grid(count))


def remez(fit: Fit, kind: str) -> list[float]:
    """The minimax coefficients, lowest power first, rounded to the format.

    The first of them are rounded one by one, and those after each are fitted anew, so that they make up for its rounding.
    """
    to_format = {"double": float, "single": lambda a: float(np.float32(float(a)))}[kind]
    terms = fit.terms[kind]
    grid = fit.grid(30 * terms)
    values, weights = [fit.function(x) for x in grid], [fit.weight(x) for x in grid]
    found: list[float] = []
    while len(found) < terms:
        c = _exchange(grid, values, weights, terms - len(found))
        if len(found) == min(4, terms - 1) or grid[0] < 0:  # no division by an x near 0
            return [*found, *map(to_format, c)]
        found.append(to_format(c[0]))
        values = [(v - found[-1]) / x for x, v in zip(grid, values, strict=True)]
        weights = [w * abs(x) for x, w in zip(grid, weights, strict=True)]
    return found


def _exchange(grid: list, values: list, weights: list, terms: int) -> list:
    """Remez's second algorithm on the points of a grid."""
    step = (len(grid) - 1) // terms
    nodes = [step * i for i in range(terms)] + [len(grid) - 1]
    for _ in range(60):
        system, right = mp.matrix(terms + 1, terms + 1), mp.matrix(terms + 1, 1)
        for row, i in enumerate(nodes):
            for power in range(terms):
                system[row, power] = grid[i] ** power
            system[row, terms], right[row] = (-1) ** row / weights[i], values[i]
        c = list(mp.lu_solve(system, right))[:terms]
        errors = [w * (mp.polyval(c[::-1], x) - v) for x, v, w in zip(grid, values, weights, strict=True)]
        starts = [0] + [i for i in range(1, len(grid)) if (errors[i] > 0) != (errors[i - 1] > 0)] + [len(grid)]
        peaks = [max(range(a, b), key=lambda i: abs(errors[i])) for a, b in pairwise(starts)]
        if len(peaks) < terms + 1:
            raise ArithmeticError(f"only {len(peaks)} alternations of {terms + 1}: use another number of terms")
        while len(peaks) > terms + 1:
            peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
        nodes = peaks
        if max(abs(errors[i]) for i in peaks) < mp.mpf("1.01") * min(abs(errors[i]) for i in peaks):
            break
    return c


def _tail(function, subtract):
    """``(function(t) / t - subtract) / t**2`` of an odd function, in z = t**2."""
    return lambda z: (function(mp.sqrt(z)) / mp.sqrt(z) - subtract) / z


HALF_LN2 = lambda: mp.log(2) / 2 * mp.mpf("1.001")  # noqa: E731
SMALL = mp.mpf("1e-3")  #: weights that vanish inside the interval get this much, intervals in z start this near to 0


def _squared(top):
    return {"low": lambda: top() ** 2 * SMALL, "high": lambda: top() ** 2}


def _erf_rate(x):
    """``(-log(1 - erf x) / x - 2/sqrt(pi)) / x``."""
    return (-mp.log(mp.erfc(x)) / x - 2 / mp.sqrt(mp.pi)) / x


def _erf_weight(x):
    y = -mp.log(mp.erfc(x))  # d(erf)/erf of a change of y by x**2
    return x**2 * mp.exp(-y) / (1 - mp.exp(-y))


QUARTER = lambda: mp.pi / 4 * mp.mpf("1.055")  # noqa: E731  (2**20 times the error of 2/pi in float32 is 0.027)
FITS = {
    "EXP": Fit(
        lambda r: (mp.expm1(r) - r) / r**2 if abs(r) > 1e-15 else mp.mpf(0.5), lambda r: abs(r) + SMALL,
        lambda: -HALF_LN2(), HALF_LN2, {"double": 11, "single": 6}, {"double": 60, "single": 28},
    ),
    "SINH": Fit(_tail(mp.sinh, 1), lambda z: z, terms={"double": 5, "single": 3}, bound={"double": 61, "single": 34}, **_squared(HALF_LN2)),
    "COSH": Fit(
        lambda z: (mp.cosh(mp.sqrt(z)) - 1) / z, lambda z: z, terms={"double": 6, "single": 3}, bound={"double": 69, "single": 33},
        **_squared(HALF_LN2),
    ),
    "LOG": Fit(
        lambda f: (mp.log1p(f) - f) / f**2 if abs(f) > 1e-15 else mp.mpf(-0.5),
        lambda f: (abs(f**2 / mp.log1p(f)) if abs(f) > 1e-15 else 0) + SMALL,
        lambda: mp.sqrt(0.5) - 1, lambda: mp.sqrt(2) - 1, {"double": 20, "single": 9}, {"double": 55, "single": 27},
    ),
    "ATANH": Fit(
        lambda z: ((2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z - mp.mpf(2) / 3) / z, lambda z: z**2 / 2,
        terms={"double": 7, "single": 4}, bound={"double": 66, "single": 43}, **_squared(lambda: (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)),
    ),
    "SIN": Fit(_tail(mp.sin, 1), lambda z: z, terms={"double": 6, "single": 3}, bound={"double": 56, "single": 27}, **_squared(QUARTER)),
    "COS": Fit(
        lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, lambda z: z**2, terms={"double": 6, "single": 3},
        bound={"double": 62, "single": 32}, **_squared(QUARTER),
    ),
    "TAN": Fit(
        _tail(mp.tan, 1), lambda z: z * mp.sqrt(z) / mp.tan(mp.sqrt(z)), terms={"double": 15, "single": 7},
        bound={"double": 57, "single": 28}, **_squared(QUARTER),
    ),
    "ATAN": Fit(
        _tail(mp.atan, 1), lambda z: z * mp.sqrt(z) / mp.atan(mp.sqrt(z)), terms={"double": 20, "single": 9},
        bound={"double": 56, "single": 26}, **_squared(lambda: mp.mpf(1)),
    ),
    "ASIN": Fit(
        _tail(mp.asin, 1), lambda z: z * mp.sqrt(z) / mp.asin(mp.sqrt(z)), terms={"double": 13, "single": 6},
        bound={"double": 59, "single": 31}, **_squared(lambda: mp.mpf("0.5")),
    ),
    "ERF_DOUBLE": Fit(_erf_rate, _erf_weight, lambda: mp.mpf("1e-3"), lambda: mp.mpf(6), {"double": 23}, {"double": 55}),
    "ERF_SINGLE": Fit(_erf_rate, _erf_weight, lambda: mp.mpf("1e-3"), lambda: mp.mpf(4), {"single": 9}, {"single": 30}),
}  # fmt: skip


HEADER = '''"""Minimax coefficients, lowest power first, printed by ``python -m tests.codegen.minimax``: its fits say of what."""

from __future__ import annotations

'''


def main() -> None:
    """Print the coefficients' file; each fit's error, in bits, goes to standard error."""
    mp.mp.dps = DIGITS
    print(HEADER, end="")
    for kind in ("double", "single"):
        print(f"{kind.upper()}: dict[str, tuple[float, ...]] = {{")
        for name, fit in FITS.items():
            if kind in fit.terms:
                c = remez(fit, kind)
                print(f'    "{name.split("_")[0]}": (')
                print("".join(f"        {a!r},\n" for a in c) + "    ),", flush=True)
                print(name, kind, mp.nstr(-mp.log(fit.error(c), 2), 5), file=sys.stderr, flush=True)
        print("}")


if __name__ == "__main__":
    main()
