"""When every root of a polynomial lies inside the unit circle, and for which learning rates that holds.

Jury's test in its determinant form (Jury, Inners and stability of dynamic systems, 1974): for a monic polynomial p of degree n,
let X be the upper triangular Toeplitz matrix of its coefficients from the leading one down and Y the lower right Hankel matrix
of those from the constant up, both of size n - 1. All roots lie inside exactly when p(1) > 0, (-1)^n p(-1) > 0 and the central
minors ("inners") of X - Y and of X + Y of sizes n - 1, n - 3, ... are positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from optlab.errors import UnsupportedError
from optlab.symbols import alpha, lam

#: Up to this many states; Jury's determinants grow quickly beyond it.
LARGEST = 4


def jury_conditions(coefficients: Sequence[sp.Expr], radius: sp.Expr | int = 1) -> tuple[sp.Expr, ...]:
    """Polynomials in the coefficients that are all positive exactly when every root is smaller than ``radius`` in modulus.

    ``coefficients`` of a monic polynomial from the leading one down. The conditions are p(r), (-1)^n p(-r), then the inners
    of X - Y and X + Y, each multiplied by the power of the radius r that clears its denominators. Where the polynomial
    depends continuously on something, roots reach the circle only where p(r), p(-r) or the largest inner of X - Y vanishes.

    >>> a, b = sp.symbols("a b")
    >>> jury_conditions([1, a, b])
    (a + b + 1, -a + b + 1, 1 - b, b + 1)
    """
    n, r = len(coefficients) - 1, sp.sympify(radius)
    descending = [sp.sympify(c) for c in coefficients]
    at = [sp.expand(sum(c * (sign * r) ** (n - i) for i, c in enumerate(descending))) for sign in (1, -1)]
    conditions = [at[0], sp.expand((-1) ** n * at[1])]
    scaled = [c * r ** (n - i) for i, c in enumerate(descending)]  # of p(r z): its leading coefficient is r^n
    size = n - 1
    for sign in (-1, 1):
        full = [[_toeplitz(scaled, j - i) + sign * _hankel(scaled, i + j - size + 1) for j in range(size)] for i in range(size)]
        for trim in range((size + 1) // 2):
            inner = [row[trim : size - trim] for row in full[trim : size - trim]]
            conditions.append(sp.expand(_determinant(inner)))
    return tuple(conditions)


def _toeplitz(coefficients: list[sp.Expr], place: int) -> sp.Expr:
    return coefficients[place] if place >= 0 else sp.Integer(0)


def _hankel(coefficients: list[sp.Expr], place: int) -> sp.Expr:
    return coefficients[-1 - place] if place >= 0 else sp.Integer(0)


def _determinant(rows: list[list[sp.Expr]]) -> sp.Expr:
    matrix = DomainMatrix.from_list_sympy(len(rows), len(rows), [[sp.expand(entry) for entry in row] for row in rows])
    return matrix.domain.to_sympy(matrix.det())


def by_product(conditions: Sequence[sp.Expr]) -> list[sp.Expr] | None:
    """The conditions in alpha alone that stands for alpha*lam; None where they depend on the two otherwise.

    >>> from optlab.symbols import alpha, lam
    >>> by_product([2 - alpha * lam]), by_product([2 - alpha * lam - lam])
    ([2 - alpha], None)
    """
    scaled = [sp.expand(condition.xreplace({alpha: alpha / lam})) for condition in conditions]
    return None if any(condition.has(lam) for condition in scaled) else scaled


def positive_set(conditions: Sequence[sp.Expr], unknown: sp.Symbol) -> sp.Set:
    """The numbers > 0 at which every condition, a polynomial in ``unknown`` with rational coefficients, is positive.

    Exact: an open interval for each component, its ends rational numbers, radicals or isolated roots (CRootOf).
    Raises UnsupportedError for coefficients that are not rational numbers.

    >>> x = sp.Symbol("x", positive=True)
    >>> positive_set([(x - 1) * (x - 2) * (x - 3) + 1, 4 - x], x)
    Interval.open(CRootOf(x**3 - 6*x**2 + 11*x - 5, 0), 4)
    """
    polynomials = []
    for condition in conditions:
        try:
            polynomial = sp.Poly(condition, unknown, domain="QQ")
        except (sp.CoercionFailed, sp.PolynomialError):
            raise UnsupportedError(f"the condition {condition} > 0 is no polynomial in {unknown} with rational coefficients") from None
        if polynomial.degree() <= 0:
            if polynomial.as_expr() <= 0:
                return sp.S.EmptySet
            continue
        polynomials.append(polynomial)
    factors = {factor for polynomial in polynomials for factor, _ in polynomial.factor_list()[1]}
    marks = sorted({root for factor in factors for root in factor.real_roots() if root > 0}, key=_number)
    edges = [sp.Integer(0), *marks]
    kept: list[sp.Set] = []
    for position, low in enumerate(edges):
        high = edges[position + 1] if position + 1 < len(edges) else None
        point = _between(low, high)
        if all(polynomial.eval(point) > 0 for polynomial in polynomials):
            kept.append(sp.Interval.open(low, sp.oo if high is None else high))
    return reduce(sp.Union, kept, sp.S.EmptySet)


def _number(root: sp.Expr) -> sp.Float:
    return sp.N(root, 40)


def _between(low: sp.Expr, high: sp.Expr | None) -> sp.Rational:
    """A rational number strictly between two real algebraic numbers."""
    if high is None:
        return sp.Integer(sp.ceiling(low)) + 1
    for digits in (15, 30, 60, 120):
        a, b = (sp.Rational(str(sp.N(end, digits))) for end in (low, high))
        if b - a > 4 * sp.Rational(10) ** (2 - digits) * max(abs(a), abs(b), 1):
            return (a + b) / 2
    raise UnsupportedError(f"the ends {low} and {high} of a stable interval cannot be told apart")
