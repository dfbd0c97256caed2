"""Expressions as text and as LaTeX, with sums in the order in which people write them."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from optlab.symbols import symbol


def positive_first(terms: Iterable[sp.Expr]) -> list[sp.Expr]:
    """The terms of a sum with those that carry a minus sign last, so that it reads theta - alpha g."""
    return sorted(terms, key=lambda term: bool(term.could_extract_minus_sign()))


class PositiveFirst:
    """Mixed into a SymPy printer, before it: sums are printed with their negative terms last."""

    def _as_ordered_terms(self, expr: sp.Expr, order: str | None = None) -> list[sp.Expr]:
        return positive_first(super()._as_ordered_terms(expr, order))  # type: ignore[misc]


class _Latex(PositiveFirst, LatexPrinter):
    pass


class _Text(PositiveFirst, StrPrinter):
    pass


def text(expression: sp.Basic) -> str:
    """One line of text, in the order in which people write it; :func:`optlab.sympify` reads it back.

    >>> from optlab.symbols import alpha, g, theta
    >>> text(theta - alpha * g)
    'theta - alpha*g'
    """
    return str(_Text().doprint(expression))


def latex(expression: sp.Basic) -> str:
    """LaTeX of an expression, in the order in which people write it.

    >>> from optlab.symbols import alpha, g, theta
    >>> latex(theta - alpha * g)
    '\\\\theta - \\\\alpha g'
    """
    return str(_Latex({"symbol_names": {symbol(name): letters for name, letters in _LATEX.items()}}).doprint(expression))


_LATEX = {
    "lam": "\\lambda",
    "eps": "\\varepsilon",
    "s2": "s^{2}",
    "distance2": "R^{2}",
    "gap": "\\Delta",
    "trace": "\\operatorname{tr}\\Sigma",
    "whitened": "\\operatorname{tr}H^{-1}\\Sigma",
}
