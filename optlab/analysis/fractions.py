"""Fractions of polynomials: lowest terms by arithmetic in the field of fractions, and signs that are read off the terms."""

from __future__ import annotations

from contextlib import suppress

import sympy as sp
from sympy.polys.polyerrors import CoercionFailed


def lowest(expression: sp.Expr) -> sp.Expr:
    """A fraction in lowest terms with both sides expanded, as ``cancel`` has it up to a sign; quicker where there is no root.

    >>> x = sp.Symbol("x")
    >>> lowest(1 / (1 + 1 / x) + x)
    (x**2 + 2*x)/(x + 1)
    """
    symbols = sorted(expression.free_symbols, key=sp.default_sort_key)
    if symbols:
        with suppress(ValueError, CoercionFailed):  # a root is no element of the field
            return sp.QQ.frac_field(*symbols).from_sympy(expression).as_expr()
    return sp.cancel(sp.together(expression))


def spanned(domain: sp.Interval, u: sp.Symbol) -> sp.Expr:
    """An expression that runs over [low, high) as u runs over [0, oo): low + (high - low) u/(1 + u), or low + u without an end.

    >>> u = sp.Symbol("u", nonnegative=True)
    >>> spanned(sp.Interval.Ropen(0, 1), u), spanned(sp.Interval(2, sp.oo), u)
    (u/(u + 1), u + 2)
    """
    return domain.start + (u if domain.end == sp.oo else (domain.end - domain.start) * u / (1 + u))


def sign_by_terms(expression: sp.Expr, *, strictly: bool = False) -> int | None:
    """1 or -1 where the fraction in lowest terms is proved to have that sign, or to be 0 too unless ``strictly``; else None.

    The proof: all terms of the numerator have one sign, so have those of the denominator, as SymPy knows it of the symbols.

    >>> x = sp.Symbol("x", nonnegative=True)
    >>> sign_by_terms(-x / (1 + x)), sign_by_terms(-x / (1 + x), strictly=True), sign_by_terms(1 - x)
    (-1, None, None)
    """
    total = 1
    for side in sp.fraction(lowest(expression)):
        terms = sp.Add.make_args(sp.expand(side))
        sign = next((s for s in (1, -1) if all((s * term).is_nonnegative is True for term in terms)), None)
        if sign is None or (strictly and not any((sign * term).is_positive for term in terms)):
            return None
        total *= sign
    return total
