"""Closed forms of algebraic numbers and functions: rationals, and square roots where one suffices."""

from __future__ import annotations

import sympy as sp

from optlab.analysis.elimination import Point, Solution, vanishing_factor
from optlab.symbols import L, mu

#: Each unknown: (in kappa, with mu = 1; the same divided by mu, in mu and L).
Forms = dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]


def closed_form(solution: Solution, variable: sp.Symbol | None, point: Point) -> Forms | None:
    """Every unknown as an expression with at most one kind of square root; None where the polynomial's degree forbids it.

    ``variable`` is kappa, or None where the coefficients are numbers. If the discriminant's square-free part is linear in kappa,
    say 3 kappa + 1 = s^2, everything is a rational function of s, and factors. If a polynomial of higher degree factors over
    the rational functions of sqrt(kappa), that is used.
    """
    polynomial, last = solution.polynomial, solution.last
    degree = sp.degree(polynomial, last)
    if degree == 1:
        poly = sp.Poly(polynomial, last)
        root = sp.factor(sp.cancel(-poly.nth(0) / poly.LC()))
        values = {last: root} | {u: sp.factor(sp.cancel(v.xreplace({last: root}))) for u, v in solution.others.items()}
        return {u: (value, _over_mu(value, variable)) for u, value in values.items()}
    if degree == 2:
        return _quadratic(solution, variable, point)
    if variable is None:
        return None
    root_kappa = sp.Symbol("q", positive=True)
    wide = point | {root_kappa: sp.sqrt(point[variable])}
    smaller = vanishing_factor(polynomial.xreplace({variable: root_kappa**2}), {last}, wide)
    if sp.degree(smaller, last) > 1:
        return None
    poly = sp.Poly(smaller, last)
    root = sp.cancel(-poly.nth(0) / poly.LC())
    values = {last: root} | {u: v.xreplace({variable: root_kappa**2}).xreplace({last: root}) for u, v in solution.others.items()}
    return {u: _from_root(sp.factor(sp.cancel(value)), root_kappa, variable, variable) for u, value in values.items()}


def _quadratic(solution: Solution, variable: sp.Symbol | None, point: Point) -> Forms:
    last = solution.last
    a, b, c = sp.Poly(solution.polynomial, last).all_coeffs()
    inside, outside = _square_free(sp.factor(sp.expand(b**2 - 4 * a * c)))
    if variable is not None and inside.is_polynomial(variable) and sp.degree(inside, variable) == 1:
        s = sp.Symbol("s", positive=True)
        line = sp.Poly(inside, variable)
        by_s = {variable: (s**2 - line.nth(0)) / line.nth(1)}
        wide = point | {s: sp.sqrt(inside.xreplace(point))}
        factor = sp.Poly(vanishing_factor(solution.polynomial.xreplace(by_s), {last}, wide), last)
        root = sp.factor(sp.cancel(-factor.nth(0) / factor.LC()))
        values = {last: root} | {u: sp.factor(sp.cancel(v.xreplace(by_s).xreplace({last: root}))) for u, v in solution.others.items()}
        return {u: _from_root(value, s, inside, variable) for u, value in values.items()}
    center, half = sp.factor(sp.cancel(-b / (2 * a))), sp.factor(sp.cancel(outside / (2 * a)))
    distance = [abs(sp.N((center + sign * half * sp.sqrt(inside)).xreplace(point), 50) - point[last]) for sign in (1, -1)]
    half = half if distance[0] < distance[1] else -half
    values = {u: _linear(v, last, center, half, inside) for u, v in [(last, last), *solution.others.items()]}
    return {u: (value, _over_mu(value, variable)) for u, value in values.items()}


def _linear(value: sp.Expr, last: sp.Symbol, center: sp.Expr, half: sp.Expr, inside: sp.Expr) -> sp.Expr:
    """a0 + a1 r at r = center + half sqrt(inside), the rational part and the root's factor each in simplest form."""
    poly = sp.Poly(value, last)
    rational = sp.factor(sp.cancel(poly.nth(0) + poly.nth(1) * center))
    return rational + sp.factor(sp.cancel(poly.nth(1) * half)) * sp.sqrt(inside)


def _has_root(expression: sp.Expr) -> bool:
    return any(p.exp.is_Rational and not p.exp.is_Integer for p in expression.atoms(sp.Pow))


def _square_free(expression: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """(d, k) with expression = d k^2 and d without square factors."""
    number, factors = sp.factor_list(expression)
    inside, outside = sp.Integer(1), sp.Integer(1)
    for factor, power in factors:
        inside, outside = inside * factor ** (power % 2), outside * factor ** (power // 2)
    top, bottom = sp.fraction(sp.nsimplify(number))
    whole = sp.sqrt(abs(top) * bottom)  # sqrt(p/q) = sqrt(p q)/q
    outer, inner = whole.as_coeff_Mul() if whole.is_Mul else (whole, sp.Integer(1)) if whole.is_Rational else (sp.Integer(1), whole)
    sign = 1 if top > 0 else -1
    return sp.expand(sign * inner**2 * inside), outside * outer / bottom


def _over_mu(value: sp.Expr, variable: sp.Symbol | None) -> sp.Expr:
    """The quantity of curvatures in [1, kappa], divided by mu, in mu and L."""
    if variable is None:
        return value
    put = value.xreplace({variable: L / mu}) / mu
    return put if _has_root(put) else sp.factor(sp.cancel(put))


def _from_root(value: sp.Expr, s: sp.Symbol, inside: sp.Expr, variable: sp.Symbol) -> tuple[sp.Expr, sp.Expr]:
    """A rational function of s = sqrt(inside): in kappa, and divided by mu in mu and L, as factored as it was."""
    even = sp.cancel(value - value.xreplace({s: -s})) == 0
    if even:
        squared = sp.factor(sp.cancel(value.xreplace({s: sp.sqrt(inside)})))
        return squared, _over_mu(squared, variable)
    whole, small = sp.Symbol("S_", positive=True), sp.Symbol("m_", positive=True)  # sqrt of inside * mu, and of mu
    homogeneous = sp.factor(sp.cancel(value.xreplace({s: whole / small}) / small**2))
    scaled = sp.expand(inside.xreplace({variable: L / mu}) * mu)
    return value.xreplace({s: sp.sqrt(inside)}), homogeneous.xreplace({whole: sp.sqrt(scaled), small: sp.sqrt(mu)})


def algebraic(polynomial: sp.Expr, unknown: sp.Symbol, point: Point) -> tuple[sp.Expr, tuple[sp.Rational, sp.Rational]]:
    """The root of an integer polynomial nearest to the point, exactly, and a rational interval that holds no other root."""
    poly = sp.Poly(polynomial, unknown, domain="QQ")
    roots = poly.real_roots()
    root = min(roots, key=lambda candidate: abs(sp.N(candidate, 50) - point[unknown]))
    value = sp.Rational(str(sp.N(root, 50)))
    others = [abs(sp.N(r, 50) - value) for r in roots if r != root]
    width = min([sp.Rational(1, 10**12), *(sp.Rational(str(o)) / 4 for o in others)])
    return root, (value - width, value + width)
