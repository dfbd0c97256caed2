"""Proofs that an expression is nowhere negative: a quotient of polynomials with no negative coefficient, term by term."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from optlab.analysis.fractions import sign_by_terms, spanned
from optlab.expressions import Rule
from optlab.symbols import g, t


def domain(rule: Rule) -> dict[sp.Symbol, sp.Expr]:
    """Each hyper-parameter in [0, 1) as u/(1 + u) with u >= 0, each in [0, oo) as u: every point of its domain."""
    inside: dict[sp.Symbol, sp.Expr] = {}
    for key, record in rule.parameters.items():
        u = sp.Dummy(f"u_{key}", nonnegative=True)
        if record.domain.inf == 0:
            inside[key] = spanned(record.domain, u)
    return inside


def nonnegative(expression: sp.Expr, inside: Mapping[sp.Symbol, sp.Expr]) -> bool:
    """Whether the expression is proved to be >= 0. False means only that this simple proof does not go through.

    ``inside`` writes each bounded symbol by one that is >= 0; powers b**t of such a symbol are >= 0 too. Other symbols must be
    known to SymPy as nonnegative, or appear with even powers or in Abs. A ``Max`` is taken apart.

    >>> from optlab.symbols import symbol
    >>> beta, u = symbol("beta"), sp.Dummy("u", nonnegative=True)
    >>> nonnegative(1 - beta, {beta: u / (1 + u)}), nonnegative(g**2 + 1, {}), nonnegative(g, {})
    (True, True, False)
    """
    if any(_negative_at(expression, inside, point) for point in (2, 3)):
        return False
    if not expression.has(sp.Max):
        return _no_negative_coefficient(expression, inside)
    expression = sp.expand(expression)
    slopes = {largest: expression.coeff(largest) for largest in expression.atoms(sp.Max)}
    for largest, slope in sorted(slopes.items(), key=lambda item: nonnegative(item[1], inside)):  # all of a test before any of it
        rest, rises = sp.expand(expression - slope * largest), nonnegative(slope, inside)
        if largest in rest.atoms(sp.Max) or not (rises or nonnegative(-slope, inside)):
            return False
        test = any if rises else all
        return test(nonnegative(rest + slope * argument, inside) for argument in largest.args)
    return _no_negative_coefficient(expression, inside)


def _negative_at(expression: sp.Expr, inside: Mapping[sp.Symbol, sp.Expr], point: int) -> bool:
    """A quick no, before a proof is tried: the expression is negative at one point of the domain."""
    inner = expression.xreplace(dict(inside))
    symbols = sorted(inner.free_symbols, key=sp.default_sort_key)
    numbers = {
        s: sp.Integer(point) if s.is_integer else sp.Rational((7 * i + 3 * point) % 11 + 1, point + i) for i, s in enumerate(symbols)
    }
    return inner.xreplace(numbers).is_negative is True


def _no_negative_coefficient(expression: sp.Expr, inside: Mapping[sp.Symbol, sp.Expr]) -> bool:
    powers: dict[sp.Expr, sp.Symbol] = {}

    def is_power(e: sp.Expr) -> bool:
        return isinstance(e, sp.Pow) and e.exp.has(t) and (e.exp - t).is_Integer

    def as_symbol(e: sp.Expr) -> sp.Expr:  # b**(t - 1) as b**t / b: at b = 0 the claim follows, for both sides are continuous in b
        return powers.setdefault(e.base, sp.Dummy("power", nonnegative=True)) * e.base ** (e.exp - t)

    if expression.has(t):
        expression = expression.replace(is_power, as_symbol)
    if expression.has(g):
        size = sp.Dummy("size", nonnegative=True)
        up, down = (sp.expand(expression.xreplace({g: sign * size})) for sign in (1, -1))
        expression = up if up == down else expression
    return sign_by_terms(expression.xreplace(dict(inside))) == 1


def decided(expression: sp.Expr, inside: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """The expression with each Max replaced by the argument, and each Heaviside by the number, that is proved to be meant."""

    def largest(*arguments: sp.Expr) -> sp.Expr:
        sure = [a for a in arguments if all(nonnegative(a - b, inside) for b in arguments)]
        return sure[0] if sure else sp.Max(*arguments)

    def step(argument: sp.Expr, *_: sp.Expr) -> sp.Expr:
        return (
            sp.Integer(1) if nonnegative(argument, inside) else sp.Integer(0) if nonnegative(-argument, inside) else sp.Heaviside(argument)
        )

    return expression.replace(sp.Max, largest).replace(sp.Heaviside, step)
