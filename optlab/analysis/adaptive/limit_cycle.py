"""The cycle of period two about the minimum of lam/2 theta^2: amplitude, existence, and whether it attracts.

The update is odd: flipping theta and the moving states flips the step. A symmetric cycle is a fixed point of one step followed by
that flip, so the scale, which does not flip, stands still, and the frozen rule has the eigenvalue -1.
"""

from __future__ import annotations

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from optlab.analysis.adaptive.constant import at_rest
from optlab.analysis.adaptive.frozen import COHEN, Frozen, freeze
from optlab.analysis.adaptive.positivity import decided, domain
from optlab.analysis.adaptive.update import compose, defaults, parameter, tidy
from optlab.errors import UnsupportedError
from optlab.expressions import Rule
from optlab.statements import Statement
from optlab.symbols import g, lam, symbol, theta, z

r = symbol("r")


def limit_cycle_statements(rule: Rule) -> tuple[tuple[Statement, ...], dict[str, str]]:
    """Amplitude, existence, characteristic polynomial and stability of the cycle theta, -theta, theta, ..."""
    f = freeze(rule)
    P = f.held_at
    if f.never_falls:
        return (), {"limit_cycle": f"rule {rule.name}: its scale never falls, so it settles where the minimum is stable and does not cycle"}
    size = sp.Dummy("A", positive=True)
    value = _scale_on_cycle(f, size)
    power, factor = _power(value, size)
    if power is None:
        raise UnsupportedError(f"rule {rule.name}: on a cycle of amplitude A what it holds is {value}, which is not solved for A")
    target = f.P_of(f.critical_scale - f.shift)
    amplitude = _root(sp.Add(*(tidy(term / factor) for term in sp.Add.make_args(target))), power)
    out = [
        Statement(
            name="cycle_amplitude", about="the amplitude of the cycle theta, -theta, theta, ... on lam/2 theta^2", expression=amplitude,
            status="derived", conditions=(sp.Gt(target if f.shift == 0 else f.critical_scale - f.shift, 0),),
            how="the frozen rule has the eigenvalue -1 at one scale; the gradient on the cycle makes that scale", reference=COHEN,
        ),
    ]  # fmt: skip
    eps = parameter(rule, "eps")
    if eps is not None and eps not in rule.bound:
        zero = _root(tidy(target.xreplace({eps: sp.Integer(0)}) / factor), power)
        out.append(
            Statement(
                name="cycle_amplitude_large", about="the same without eps", expression=tidy(zero), status="derived", how="eps put to 0"
            )
        )
        scale = f.scale.xreplace({P: sp.Integer(0)})
        out.append(
            Statement(
                name="cycle_exists", about="the cycle exists exactly if this holds: where the minimum is not stable",
                expression=sp.Lt(eps, f.critical_scale if scale == eps else f.critical_scale**2), status="derived",
                how="the square of the amplitude is positive",
            )
        )  # fmt: skip
    polynomial = _polynomial(f, size, eps if eps is not None and eps not in rule.bound else None)
    out.append(
        Statement(
            name="cycle_polynomial",
            about="the characteristic polynomial of one step and a flip at the cycle: it attracts if all roots lie inside the unit circle",
            expression=polynomial.as_expr(), status="derived", symbols={r: "lam times the amplitude over its value without eps, in (0, 1]"},
            how="derivatives of the composed step at the cycle, in units in which the scale is 1",
        )
    )  # fmt: skip
    reasons: dict[str, str] = {}
    if polynomial.degree() > 3:
        reasons["cycle_stable"] = reasons["cycle_margin_default"] = (
            f"rule {rule.name}: the cycle has {polynomial.degree()} multipliers; decide by the roots of cycle_polynomial"
        )
        return tuple(out), reasons
    conditions = [tidy(c.xreplace({r: sp.Integer(1)})) for c in schur_cohn(polynomial)]
    stable = sp.And(*(sp.Gt(c, 0) for c in conditions))
    out.append(
        Statement(
            name="cycle_stable", about="the cycle without eps attracts exactly if all of this holds", expression=stable, status="derived",
            how="Schur and Cohn's conditions on that polynomial at r = 1",
        )
    )  # fmt: skip
    numbers = [defaults(rule, condition) for condition in conditions]
    if stable.free_symbols and all(number.is_number for number in numbers):
        out.append(
            Statement(
                name="cycle_margin_default", about="the least of those at the rule's own numbers: the cycle attracts if above 0",
                expression=sp.Min(*numbers), status="derived", how="numbers put in",
            )
        )  # fmt: skip
    else:
        rest = sorted({str(s) for number in numbers for s in number.free_symbols})
        reasons["cycle_margin_default"] = f"rule {rule.name}: " + (
            f"the conditions depend on {', '.join(rest)} too, which have no default" if rest else "cycle_stable has no symbols: see there"
        )
    return tuple(out), reasons


def schur_cohn(polynomial: sp.Poly) -> tuple[sp.Expr, ...]:
    """Expressions that are all positive exactly if the roots of this monic polynomial (degree 1 to 3) lie inside the unit circle."""
    n, coefficients = polynomial.degree(), polynomial.all_coeffs()
    ends = (polynomial.eval(1), (-1) ** n * polynomial.eval(-1))
    if n == 1:
        return ends
    last = coefficients[-1]
    if n == 2:
        return (*ends, 1 - last)
    second, third = coefficients[1], coefficients[2]
    difference = third - last * second
    return (*ends, 1 - last**2 - difference, 1 - last**2 + difference)


def _cycle(f: Frozen, size: sp.Expr, P: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """theta and the moving states on the cycle: the eigenvector of -1 whose theta is ``size``."""
    M, k = f.form.transition(lam).xreplace({f.held_at: P}), len(f.form.states)
    rest = -(sp.eye(k - 1) + M[1:, 1:]).LUsolve(M[1:, :1]) * size if k > 1 else sp.zeros(0, 1)
    return dict(zip(f.form.states, (size, *(tidy(e) for e in rest)), strict=True))


def _point(f: Frozen, size: sp.Expr, root: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """Everything on the cycle whose scale is ``shift + root``: theta, the states, and the gradient there."""
    Q = sp.Dummy("Q", positive=True)
    point = {s: e.xreplace({Q: root}) for s, e in _cycle(f, size, f.P_of(Q)).items()}
    point[g] = tidy(lam * (f.form.c * sp.Matrix([point[s] for s in f.form.states]))[0])
    rest = at_rest(f.original, f.equations)
    return point | {s: tidy(rest[s].xreplace({g: point[g], theta: point[theta]})) for s in f.held}


def _scale_on_cycle(f: Frozen, size: sp.Expr) -> sp.Expr:
    """What is held, on the cycle of this amplitude."""
    point = _point(f, size, f.critical_scale - f.shift)
    value = f.P[f.held_at]
    if isinstance(value, sp.Abs):  # x/Abs(x) flips theta with an eigenvalue of -1 only where x is positive
        value = value.args[0]
    now = compose(f.equations, point)
    return decided(tidy(sp.expand(value.xreplace(now))), domain(f.original))


def _power(value: sp.Expr, size: sp.Symbol) -> tuple[int | None, sp.Expr]:
    for power in (2, 1):
        factor = sp.cancel(value / size**power)
        if not factor.has(size):
            return power, factor
    return None, value


def _root(value: sp.Expr, power: int) -> sp.Expr:
    """The root of a product, with factors that are squares taken out by their sign at small values."""
    if power == 1:
        return tidy(value)
    outside: list[sp.Expr] = []
    inside: list[sp.Expr] = []
    for factor in sp.Mul.make_args(value):
        base, exponent = factor.as_base_exp()
        even = exponent.is_integer and exponent % 2 == 0
        if even:  # its root is the one that is positive while eps is small
            small = {s: sp.Rational(1, 10**9) if s.name == "eps" else sp.Rational(1, 10) for s in base.free_symbols}
            base = -base if base.xreplace(small).is_negative else base
        (outside if even else inside).append(base ** (exponent / 2) if even else factor)
    return sp.Mul(*outside) * sp.sqrt(sp.Mul(*inside))


def _polynomial(f: Frozen, size: sp.Symbol, eps: sp.Symbol | None) -> sp.Poly:
    """det(z I - flip J) at the cycle where lam is such that the scale is 1 and eps such that lam A is r."""
    critical = sp.Poly(sp.numer(sp.together(f.critical_scale - 1)), lam)
    curvature = tidy(-critical.coeff_monomial(1) / critical.coeff_monomial(lam))
    part = sp.Dummy("r", positive=True)
    at = _point(f, part / lam, 1 - f.shift)
    units = {lam: curvature}
    if eps is not None:
        value = _scale_on_cycle(f, part / lam)
        gap = 1 - eps - part if f.shift == eps else sp.expand(f.P_of(sp.Integer(1)) - value)
        slope = sp.diff(gap, eps)
        units[eps] = tidy(-gap.xreplace({eps: sp.Integer(0)}) / slope).xreplace(units)
    inside = domain(f.original)
    states = (*f.form.states, *f.held)
    now = compose(f.equations, {g: lam * f.original.gradient_at})
    wd = parameter(f.original, "wd")
    if wd is not None and all(sp.diff(now[s], lam) == sp.diff(now[s], wd) for s in states):  # an L2 penalty is more curvature
        units = {key: value.xreplace({wd: sp.Integer(0)}) for key, value in units.items()} | {wd: sp.Integer(0)}

    def entry(target: sp.Symbol, variable: sp.Symbol) -> sp.Expr:
        slope = sp.diff(now[target], variable).xreplace(at).xreplace(units).replace(sp.DiracDelta, lambda _: sp.Integer(0))
        slope = slope.replace(lambda e: isinstance(e, sp.Pow) and e.exp.is_Rational and not e.exp.is_Integer, _plain_root)
        slope = decided(slope, inside)
        slope = slope.replace(sp.Abs, lambda a: sp.Abs(tidy(a))).replace(sp.sign, lambda a: sp.sign(tidy(a)))
        return sp.cancel(sp.together(slope)) * (1 if target in f.held else -1)

    J = sp.Matrix([[entry(s, v) for v in states] for s in states])
    over_field = DomainMatrix.from_Matrix(J).to_field()
    return sp.Poly([over_field.domain.to_sympy(e).xreplace({part: r}) for e in over_field.charpoly()], z)


def _plain_root(power: sp.Expr) -> sp.Expr:
    return sp.Pow(tidy(sp.expand(power.base)), power.exp)
