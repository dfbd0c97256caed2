"""Exact solution of a small polynomial system near a point known to many digits.

The unknowns are eliminated one at a time: by substitution where an equation is linear in one, else by subresultants. After each
step every polynomial is factored and only the factor that vanishes at the point is kept, so the degrees stay small and foreign
solutions (alpha = 0, r = 0) drop out. What remains is one irreducible polynomial for the last unknown, and the others as rational
functions of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp
from mpmath import mp
from mpmath.libmp.libhyper import NoConvergence

from optlab.errors import UnsupportedError

DIGITS = 60
#: Resultants beyond this degree are not tried.
LARGEST_DEGREE = 40

Point = dict[sp.Symbol, sp.Float]


@dataclass(frozen=True)
class Solution:
    """``last`` is a root of the irreducible ``polynomial``; each other unknown is a rational function of it (and of the field's symbol)."""

    last: sp.Symbol
    polynomial: sp.Expr
    others: dict[sp.Symbol, sp.Expr]


def refine(equations: Sequence[sp.Expr], unknowns: Sequence[sp.Symbol], start: Sequence[float]) -> Point | None:
    """Newton's method in 80 digits from a double-precision start; None if it does not converge to a nearby regular solution."""
    function = sp.lambdify(list(unknowns), list(equations), "mpmath")
    with mp.workdps(DIGITS + 20):
        try:
            found = mp.findroot(lambda *x: function(*x), [mp.mpf(float(v)) for v in start], tol=mp.mpf(10) ** (-2 * DIGITS), maxsteps=40)
        except (ValueError, ZeroDivisionError, NoConvergence, TypeError):  # TypeError: a Jacobian of NaN has no pivot in mpmath
            return None
        values = [found] if len(unknowns) == 1 else list(found)
        moved = max(abs(v - s) / max(abs(s), mp.mpf("1e-3")) for v, s in zip(values, start, strict=True))
        if moved > 1e-3:
            return None
        return {u: sp.Float(str(v), DIGITS + 10) for u, v in zip(unknowns, values, strict=True)}


def vanishes(expression: sp.Expr, point: Point) -> bool:
    """Whether a polynomial is 0 at the point, against the size of its terms."""
    terms = [abs(sp.N(term.xreplace(point), DIGITS + 10)) for term in sp.Add.make_args(sp.expand(expression))]
    value = abs(sp.N(sp.expand(expression).xreplace(point), DIGITS + 10))
    return bool(value <= sum(terms) * sp.Float(10) ** (-DIGITS // 2)) and bool(sum(terms) > 0 or value == 0)


def vanishing_factor(expression: sp.Expr, unknowns: set[sp.Symbol], point: Point) -> sp.Expr:
    """The irreducible factor of a polynomial (numerator) that is 0 at the point; 0 for the zero polynomial."""
    numerator = sp.numer(sp.together(expression))
    if sp.expand(numerator) == 0:
        return sp.Integer(0)
    for factor, _ in sp.factor_list(numerator)[1]:
        if factor.free_symbols & unknowns and vanishes(factor, point):
            return sp.sympify(factor)
    raise UnsupportedError(f"no factor of {expression} vanishes at the solution")


def eliminate(equations: Sequence[sp.Expr], unknowns: Sequence[sp.Symbol], last: sp.Symbol, point: Point) -> Solution | None:
    """Solve for ``last`` and express the other unknowns by it; ``point`` holds every symbol's value. None if a family of solutions is left.

    >>> x, y = sp.symbols("x y")
    >>> eliminate([x - y**2, x - 2], [x, y], y, {x: sp.Float(2, 70), y: sp.sqrt(2).evalf(70)}).polynomial
    y**2 - 2
    """
    open_ones = set(unknowns)
    system = [vanishing_factor(e, open_ones, point) for e in equations]
    system = [e for e in dict.fromkeys(system) if e != 0]
    remaining = [u for u in unknowns if u != last]
    relations: list[tuple[sp.Symbol, sp.Expr]] = []
    while remaining:
        step = _linear_step(system, remaining, point) or _resultant_step(system, remaining, open_ones, point)
        if step is None:
            return None
        unknown, value, rest = step
        relations.append((unknown, value))
        remaining.remove(unknown)
        rest = [vanishing_factor(e, open_ones, point) for e in rest]
        system = [e for e in dict.fromkeys(rest) if e != 0]
    if not system:
        return None
    polynomial = min(system, key=lambda e: sp.degree(e, last))
    others: dict[sp.Symbol, sp.Expr] = {}
    for unknown, value in reversed(relations):
        others[unknown] = reduced(sp.together(value.xreplace(others)), polynomial, last)
    return Solution(last, polynomial, others)


def _linear_step(system: list[sp.Expr], remaining: list[sp.Symbol], point: Point) -> tuple[sp.Symbol, sp.Expr, list[sp.Expr]] | None:
    """The simplest equation that is linear in an unknown, solved and put into the others."""
    choices = []
    for unknown in remaining:
        for equation in system:
            if not equation.has(unknown):
                continue
            poly = sp.Poly(equation, unknown)
            if poly.degree() == 1 and not vanishes(poly.LC(), point):
                choices.append((sp.count_ops(equation), unknown.name, unknown, equation, poly))
    if not choices:
        return None
    _, _, unknown, equation, poly = min(choices, key=lambda c: c[:2])
    value = sp.cancel(-poly.nth(0) / poly.LC())
    return unknown, value, [e.xreplace({unknown: value}) for e in system if e is not equation]


def _resultant_step(
    system: list[sp.Expr], remaining: list[sp.Symbol], unknowns: set[sp.Symbol], point: Point
) -> tuple[sp.Symbol, sp.Expr, list[sp.Expr]] | None:
    """Two equations in one unknown give their resultant, and the unknown by their subresultant of degree one."""
    choices = []
    for unknown in remaining:
        holding = sorted((e for e in system if e.has(unknown)), key=lambda e: (sp.degree(e, unknown), sp.count_ops(e)))
        if len(holding) >= 2:
            choices.append((sp.degree(holding[0], unknown) * sp.degree(holding[1], unknown), unknown.name, unknown, holding))
    for _, _, unknown, (first, *others) in sorted(choices, key=lambda c: c[:2]):
        value, rest = None, [e for e in system if not e.has(unknown)]
        generators = sorted(unknowns, key=str)
        for other in others:
            high, low = (other, first) if sp.degree(other, unknown) >= sp.degree(first, unknown) else (first, other)
            if sp.Poly(high, *generators).total_degree() * sp.Poly(low, *generators).total_degree() > LARGEST_DEGREE:
                return None
            chain = sp.subresultants(high, low, unknown)
            rest.append(chain[-1] if not chain[-1].has(unknown) else sp.Integer(0))
            linear = next((s for s in chain if sp.degree(s, unknown) == 1 and not vanishes(sp.Poly(s, unknown).LC(), point)), None)
            if value is None and linear is not None:
                poly = sp.Poly(linear, unknown)
                value = sp.cancel(-poly.nth(0) / poly.LC())
        if value is not None:
            return unknown, value, rest
    return None


def reduced(expression: sp.Expr, polynomial: sp.Expr, last: sp.Symbol) -> sp.Expr:
    """A rational function of an algebraic number as the polynomial in it of least degree (its coefficients in the field)."""
    modulus = sp.Poly(polynomial, last)
    if modulus.degree() == 1:
        return sp.factor(sp.cancel(expression.xreplace({last: -modulus.nth(0) / modulus.LC()})))
    modulus = modulus.set_domain(modulus.domain.get_field())
    above, below = (sp.Poly(part, last, domain=modulus.domain) for part in sp.fraction(sp.cancel(expression)))
    inverse = sp.invert(below.rem(modulus), modulus) if below.degree() > 0 else sp.Poly(1 / below.LC(), last, domain=modulus.domain)
    return sp.Add(*(sp.factor(c) * last**power for (power,), c in (above * inverse).rem(modulus).terms()))


def satisfied(equation: sp.Expr, solution: Solution) -> bool:
    """Whether an equation holds at every root of the solution's polynomial, by algebra: its remainder is 0.

    >>> x, y = sp.symbols("x y")
    >>> found = Solution(y, y**2 - 2, {x: y**2})
    >>> satisfied(x - 2, found), satisfied(x - y, found)
    (True, False)
    """
    numerator = sp.numer(sp.together(equation.xreplace(solution.others)))
    modulus = sp.Poly(solution.polynomial, solution.last)
    modulus = modulus.set_domain(modulus.domain.get_field())
    return bool(sp.Poly(numerator, solution.last, domain=modulus.domain).rem(modulus).is_zero)


def minimal_polynomial(value: sp.Expr, solution: Solution, unknown: sp.Symbol, point: Point) -> sp.Expr:
    """The irreducible polynomial, in ``unknown``, of a quantity given as a polynomial in the solution's last unknown."""
    top, bottom = sp.fraction(sp.together(value))
    both = sp.resultant(sp.expand(bottom * unknown - top), solution.polynomial, solution.last)
    return vanishing_factor(sp.expand(both), {unknown}, point)
