"""Short convolutions with the fewest products (Toom and Cook), derived exactly, and straight-line code for their linear maps.

The product of two polynomials, of degree m - 1 and r - 1, is known from its values at n = m + r - 1 points: evaluate both (matrices A
and G, powers of the points), multiply, interpolate (C, the inverse of the n x n matrix of powers). Read backwards, the same three
matrices give the m outputs of a filter g of r taps over n inputs d with n products rather than m r (Winograd, Arithmetic complexity of
computations, 1980; Lavin & Gray, CVPR 2016, for both axes of an image):

    y = A' [(G g) * (C' d)],    dg = G' [(C' d) * (A dy)],    dd = C [(G g) * (A dy)]

The backward passes are the transposes of the forward pass, factor by factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy as sp

from optlab.codegen.lanes import fma
from optlab.errors import UnsupportedError

Matrix = tuple[tuple[float, ...], ...]

#: The points beside 0 and infinity. For four outputs of three taps, +-2/3 and +-3/2 had the least rounding error of 105 pairs tried
#: (relative, float32, 32 channels: 4e-7 forward, beside 10e-7 of the customary +-1 and +-2, and 1.6e-7 of two outputs).
_POINTS = {1: (), 2: ("1",), 3: ("1", "-1"), 4: ("1", "-1", "2"), 5: ("2/3", "-2/3", "3/2", "-3/2")}


@dataclass(frozen=True)
class ShortConvolution:
    """The exact matrices for ``outputs`` results of ``taps`` taps: A (n x outputs), G (n x taps), and the transpose of C (n x n)."""

    outputs: int
    taps: int
    a: sp.Matrix
    g: sp.Matrix
    ct: sp.Matrix

    @property
    def points(self) -> int:
        """Products per axis, n."""
        return self.outputs + self.taps - 1


@cache
def short_convolution(outputs: int, taps: int) -> ShortConvolution:
    """Derive the matrices. Raises UnsupportedError beyond five points and infinity.

    >>> found = short_convolution(2, 3)
    >>> found.a.T * sp.diag(*(found.g * sp.Matrix([1, 2, 3]))) * found.ct * sp.Matrix([1, 10, 100, 1000])  # 1 + 20 + 300, 10 + 200 + 3000
    Matrix([
    [ 321],
    [3210]])
    """
    n = outputs + taps - 1
    if n - 1 not in _POINTS and n > 1:
        raise UnsupportedError(f"no short convolution of {outputs} outputs and {taps} taps: outputs + taps - 1 must be at most 6")
    finite = [sp.Integer(0), *map(sp.Rational, _POINTS[n - 1][: n - 2])] if n > 1 else []
    powers = {width: sp.Matrix([[p**j for j in range(width)] for p in finite] + [[0] * (width - 1) + [1]]) for width in (outputs, taps, n)}
    ct, g = powers[n].inv().T, powers[taps].copy()
    for i in range(n):  # the last coefficient of each row of C' becomes 1, G takes the factor
        factor = next(ct[i, j] for j in reversed(range(n)) if ct[i, j] != 0)
        ct[i, :], g[i, :] = ct[i, :] / factor, g[i, :] * factor
    return ShortConvolution(outputs, taps, powers[outputs], g, ct)


def rounded(matrix: sp.Matrix) -> Matrix:
    """The matrix in numbers, each rounded once."""
    return tuple(tuple(float(matrix[i, j]) for j in range(matrix.cols)) for i in range(matrix.rows))


def transposed(matrix: Matrix) -> Matrix:
    """Rows as columns."""
    return tuple(zip(*matrix, strict=True))


def linear(matrix: Matrix, values: list[Any]) -> list[Any]:
    """``matrix @ values``, each value a vector or a number, or None for zero. Mirror points share their even and odd parts.

    >>> linear(((1.0, 2.0), (1.0, -2.0)), [3.0, 5.0])
    [13.0, -7.0]
    """
    there = [j for j, value in enumerate(values) if value is not None]
    rows, columns = [[row[j] for j in there] for row in matrix], [values[j] for j in there]
    rows, columns = _pair_columns(rows, columns)
    out: list[Any] = [None] * len(rows)
    for i, row in enumerate(rows):
        if out[i] is not None:
            continue
        for k in range(i + 1, len(rows)):
            odd = [a if a == -b else 0.0 for a, b in zip(row, rows[k], strict=True)]
            even = [a if a == b else 0.0 for a, b in zip(row, rows[k], strict=True)]
            if out[k] is None and any(odd) and any(even) and [abs(a) for a in row] == [abs(b) for b in rows[k]]:
                factor = next(a for a in reversed(odd) if a)
                one, other = _dot(even, columns), _dot([a / factor for a in odd], columns)
                out[i], out[k] = _add(one, factor, other), _add(one, -factor, other)
                break
        else:
            out[i] = _dot(row, columns)
    return out


def _pair_columns(rows: list[list[float]], columns: list[Any]) -> tuple[list[list[float]], list[Any]]:
    """Two columns that differ in signs only are met by their sum and their difference."""
    left, new_rows, new_columns = list(range(len(columns))), [list[float]() for _ in rows], []
    while left:
        j = left.pop(0)
        mate = next((k for k in left if _mirrors([row[j] for row in rows], [row[k] for row in rows])), None)
        if mate is None:
            new_columns.append(columns[j])
            for row, new in zip(rows, new_rows, strict=True):
                new.append(row[j])
            continue
        left.remove(mate)
        new_columns += [columns[j] + columns[mate], columns[j] - columns[mate]]
        for row, new in zip(rows, new_rows, strict=True):
            new += [row[j], 0.0] if row[j] == row[mate] else [0.0, row[j]]
    return new_rows, new_columns


def _mirrors(one: list[float], other: list[float]) -> bool:
    same = [a == b for a, b in zip(one, other, strict=True) if a or b]
    return any(same) and not all(same) and all(abs(a) == abs(b) for a, b in zip(one, other, strict=True))


def _add(total: Any, factor: float, value: Any) -> Any:
    if factor == 1:
        return total + value
    return total - value if factor == -1 else fma(value, _number(factor, value), total)


def _number(factor: float, value: Any) -> Any:
    return factor if hasattr(value, "builder") else type(value)(factor)


def _dot(coefficients: list[float], values: list[Any]) -> Any:
    terms = [(c, v) for c, v in zip(coefficients, values, strict=True) if c]
    if not terms:
        return None
    start = next((k for k, (c, _) in enumerate(terms) if c == 1), 0)
    factor, value = terms.pop(start)
    total = value if factor == 1 else value * _number(factor, value)
    for c, v in terms:
        total = _add(total, c, v)
    return total
