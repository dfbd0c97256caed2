"""Minimax tuning, derived: the learning rate and hyper-parameters of least worst-case rate over curvatures in [mu, L].

A numeric search names the active inequalities (Jury's conditions at the worst curvatures); they, and where they are too few the
vanishing of their gradients' minors (Fritz John), are a polynomial system that is solved exactly; the exact solution is then verified:
its equations by algebra, its multipliers, and a fine grid that must find nothing better, at several condition numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import sympy as sp

from optlab.analysis.closed_form import algebraic, closed_form
from optlab.analysis.elimination import Point, Solution, eliminate, minimal_polynomial, refine, satisfied
from optlab.analysis.optimal import REFERENCE, Certificate, Optimal, kappa
from optlab.analysis.search import TINY, Constraint, Program, conditions_of, rate
from optlab.analysis.search import Point as Candidate
from optlab.analysis.stability import by_product
from optlab.errors import UnsupportedError
from optlab.expressions import Rule
from optlab.symbols import L, alpha, lam, mu

#: The condition numbers at which a closed form is verified.
KAPPAS = (2, 10, 100, 1000, 10_000)
#: The degree of a solution at the reference condition number beyond which none is sought in kappa.
LARGEST_SYMBOLIC = 4
GRID, SMALL_GRID = {1: 20_001, 2: 201, 3: 41}, {1: 2001, 2: 61, 3: 15}


def derive(rule: Rule, numbers: tuple[sp.Rational, sp.Rational] | None, certify: bool) -> Optimal:
    """The minimax tuning of a rule, for mu and L given or as symbols: see :meth:`optlab.analysis.mode.Mode.optimal`."""
    if numbers is None:
        if by_product(conditions_of(rule)) is None:
            raise UnsupportedError(f"rule {rule.name}: its tuning is not a matter of kappa alone; give numbers, optimal(mu=..., L=...)")
        ends: tuple[sp.Expr, sp.Expr] = (sp.Integer(1), kappa)
        program = Program(rule, 1.0, float(REFERENCE))
    else:
        ends, program = numbers, Program(rule, float(numbers[0]), float(numbers[1]))
    symbols: tuple[sp.Expr, sp.Expr] = (mu, L) if numbers is None else numbers
    found = program.solve()
    best = found[0]
    start = {"rule": rule, "mu": symbols[0], "L": symbols[1]}
    if best.rate >= 1 - 1e-12:
        return Optimal(**start, status="none", reason=f"the least worst-case rate found is {best.rate:.12g}")
    edge = _open_edge(program, best)
    if edge:
        return Optimal(**start, status="not attained", witnesses=(_witness(program, best),), reason=edge)
    other = _another(program, found)
    if other is not None:
        reason = f"alpha {best.alpha:.6g} and {other.alpha:.6g} reach the same rate {best.rate:.9g}"
        return Optimal(**start, status="not unique", witnesses=(_witness(program, best), _witness(program, other)), reason=reason)
    x = np.array([best.alpha, *best.values, best.rate])
    multipliers, _ = program.multipliers(x)
    solved = _exactly(program, multipliers, x, ends)
    common = {**start, "active": tuple(program.constraints[j].name for j in multipliers), "witnesses": (_witness(program, best),)}
    if solved is None:
        values = {u: sp.Float(v, 17) for u, v in zip((alpha, *program.parameters, rate), x, strict=True)}
        verified = _certify(program, values, numbers, False, {}) if certify and numbers is not None else None
        reason = "the system of the active inequalities was not solved exactly"
        return Optimal(**common, status="numeric", certificate=verified, reason=reason)
    equations, point, solution = solved
    shown = {kappa: L / mu, alpha: alpha * mu} if numbers is None else {}  # solved with mu = 1 and L = kappa
    common["equations"] = tuple(sp.Eq(sp.expand(e.xreplace(shown)), 0) for e in equations)
    return _finish(program, numbers, common, equations, point, solution, certify)


def _finish(
    program: Program, numbers: tuple[sp.Rational, sp.Rational] | None, common: dict[str, Any], equations: Sequence[sp.Expr], point: Point,
    solution: Solution, certify: bool,
) -> Optimal:  # fmt: skip
    unknowns = [alpha, *program.parameters]
    forms = closed_form(solution, kappa if numbers is None else None, point)
    names = {u: ("rate" if u == rate else str(u)) for u in (*unknowns, rate)}
    polynomials: dict[str, sp.Expr] = {}
    intervals: dict[str, tuple[sp.Rational, sp.Rational]] = {}
    if forms is not None:
        status, values = "closed form", {u: forms[u][0] for u in (*unknowns, rate)}
        checked = all(_zero(e, values, point) for e in equations)
    else:
        status, checked, values = "algebraic", all(satisfied(e, solution) for e in equations), {}
        for unknown in (*unknowns, rate):
            known = unknown == solution.last
            polynomial = solution.polynomial if known else minimal_polynomial(solution.others[unknown], solution, unknown, point)
            polynomials[names[unknown]] = polynomial
            if numbers is not None:
                values[unknown], intervals[names[unknown]] = algebraic(polynomial, unknown, point)
    certificate = _certify(program, values, numbers, checked, point) if certify and values else None
    if numbers is None and forms is not None:
        values = {u: forms[u][1] if u == alpha else forms[u][0] for u in values}
    return Optimal(
        **common, status=status, alpha=values.get(alpha), rate=values.get(rate),
        parameters={str(p): values[p] for p in program.parameters if p in values},
        polynomials=polynomials, intervals=intervals, certificate=certificate,
        reason="" if values else "give numbers, optimal(condition_number=...), for the roots of the polynomials",
    )  # fmt: skip


def _zero(equation: sp.Expr, values: Mapping[sp.Symbol, sp.Expr], point: Point) -> bool:
    """Whether an equation holds by algebra once the closed forms stand in it."""
    put = equation.xreplace(dict(values))
    if put.free_symbols - {kappa}:  # an inner curvature is known by its own equations
        return bool(abs(sp.N(put.xreplace(point), 50)) < sp.Float(10) ** -30)
    bases = {p.base for p in put.atoms(sp.Pow) if p.exp.is_Rational and p.exp.q == 2}
    if len(bases) > 1:
        return bool(sp.simplify(put) == 0)
    stand, base = sp.Dummy("root"), next(iter(bases), sp.Integer(0))
    put = put.replace(lambda e: isinstance(e, sp.Pow) and e.exp.is_Rational and e.exp.q == 2, lambda e: stand ** (2 * e.exp))
    return bool(sp.expand(sp.rem(sp.expand(sp.numer(sp.together(put))), stand**2 - base, stand)) == 0)


def _exactly(
    program: Program, multipliers: Mapping[int, float], x: np.ndarray, ends: tuple[sp.Expr, sp.Expr]
) -> tuple[list[sp.Expr], Point, Solution] | None:
    """The polynomial equations of the optimum, its point to 60 digits, and the exact solution; None if that fails."""
    unknowns: list[sp.Symbol] = [alpha, *program.parameters, rate]
    place = {program.mu: ends[0], program.L: ends[1]}
    gradients: list[list[sp.Expr]] = []
    equations: list[sp.Expr] = []
    extra: list[sp.Expr] = []
    starts = list(map(float, x))
    for constraint in _merged([program.constraints[j] for j in multipliers]):
        expression = constraint.expression
        if constraint.inside:
            where = sp.Symbol(f"lam_{len(extra) + 1}", positive=True)
            unknowns.insert(-1, where)
            starts.insert(-1, float(constraint.curvature or 0.0))
            extra.append(sp.diff(expression, lam).xreplace({lam: where}))
        else:
            where = place.get(constraint.curvature, lam) if constraint.curvature is not None else lam
        equation = sp.expand(expression.xreplace({lam: where}))
        if equation not in equations:
            equations.append(equation)
            gradients.append([sp.diff(equation, u) for u in (alpha, *program.parameters)])
    wanted = len(program.parameters) + 2 - len(equations)
    if not equations:  # rate 0: one curvature, reached in one step
        return None
    if wanted > 0:
        columns = range(len(gradients[0]))
        minors = [sp.Matrix([[row[c] for c in chosen] for row in gradients]).det() for chosen in combinations(columns, len(equations))]
        equations += [sp.expand(minor) for minor in minors[:wanted]]
    equations = equations[: len(program.parameters) + 2] + extra
    if len(equations) != len(unknowns):
        return None
    given = {kappa: sp.Integer(REFERENCE)} if ends[1] == kappa else {}
    point = refine([e.xreplace(given) for e in equations], unknowns, starts)
    if point is None:
        return None
    point = point | {key: sp.Float(value, 70) for key, value in given.items()}
    found = _eliminated([e.xreplace(given) for e in equations], unknowns, point)
    if found is None or not given:
        return None if found is None else (equations, point, found[1])
    (combine, last), numeric = found
    if sp.degree(numeric.polynomial, last) > LARGEST_SYMBOLIC:  # no closed form in kappa, and elimination over its field may take minutes
        return None
    symbolic = _attempt(_combined(equations) if combine else equations, unknowns, last, point)
    return None if symbolic is None else (equations, point, symbolic)


def _eliminated(equations: list[sp.Expr], unknowns: list[sp.Symbol], point: Point) -> tuple[tuple[bool, sp.Symbol], Solution] | None:
    """The exact solution, and which way it was found: with sums and differences of equations or without, by which last unknown."""
    for combine in (False, True) if len(unknowns) <= 3 else (False,):  # sums and differences may factor where the equations do not
        system = _combined(equations) if combine else equations
        for last in (rate, *reversed([u for u in unknowns if u != rate])):  # the others must be rational functions of the last one
            solution = _attempt(system, unknowns, last, point)
            if solution is not None:
                return (combine, last), solution
    return None


def _combined(equations: list[sp.Expr]) -> list[sp.Expr]:
    return equations + [first + sign * second for first, second in combinations(equations, 2) for sign in (1, -1)]


def _attempt(system: list[sp.Expr], unknowns: list[sp.Symbol], last: sp.Symbol, point: Point) -> Solution | None:
    try:
        return eliminate(system, unknowns, last, point)
    except (UnsupportedError, sp.PolynomialError, ZeroDivisionError):
        return None


def _merged(constraints: list[Constraint]) -> list[Constraint]:
    """Neighboring curvatures of the search grid that share one inner maximum become one."""
    out: list[Constraint] = []
    for c in constraints:
        if c.inside and out and out[-1].inside and out[-1].name == c.name:
            continue
        out.append(c)
    return out


def _witness(program: Program, point: Candidate) -> dict[str, float]:
    return {"alpha": point.alpha, **dict(zip(map(str, program.parameters), point.values, strict=True)), "rate": point.rate}


def _open_edge(program: Program, best: Candidate) -> str:
    """A line if the best rate lies at the open end of a range, and improves on the way there."""
    for position, (parameter, axis) in enumerate(zip(program.parameters, program.axes, strict=True)):
        for end, is_open in ((axis.low, axis.low_open), (axis.high, axis.high_open)):
            if not np.isfinite(end) or not is_open or abs(best.values[position] - end) > 100 * TINY:
                continue
            steps = []
            for gap in (1e-2, 1e-4, 1e-6):
                values = list(best.values)
                values[position] = end + gap * np.sign(best.values[position] - end)
                point = program.polish(np.array([best.alpha, *values])) or best
                steps.append(point.rate)
            if best.rate <= min(steps) + 1e-9:
                return f"the rate improves toward {best.rate:.9g} as {parameter} approaches {end:g}, which its range leaves out"
    low, high = program.grid(3)[[0, -1], 0]
    if best.alpha > 50 * high or best.alpha < low / 50:
        return f"the rate improves toward {best.rate:.9g} as alpha goes to {'infinity' if best.alpha > high else '0'}"
    return ""


def _another(program: Program, found: Sequence[Candidate]) -> Candidate | None:
    """Another tuning as good as the best but apart from it."""
    best = found[0]
    for other in found[1:]:
        moved = [np.log(other.alpha / best.alpha), *(a - b for a, b in zip(best.values, other.values, strict=True))]
        if max(map(abs, moved)) > 1e-2 and other.rate - best.rate <= 1e-8 * max(1 - best.rate, 1e-3):
            return other
    return None


def _certify(
    program: Program, values: Mapping[sp.Symbol, sp.Expr], numbers: tuple[sp.Rational, sp.Rational] | None, checked: bool, point: Point
) -> Certificate:
    remainder, violation, gap = 0.0, np.inf, np.inf
    names: dict[str, float] = {}
    spectra = [(1.0, float(k)) for k in KAPPAS] if numbers is None else [(program.mu, program.L)]
    size = (GRID if program.states <= 2 else SMALL_GRID).get(len(program.unknowns), 9)
    for low, high in spectra:
        here = program if (low, high) == (program.mu, program.L) else Program(program.rule, low, high)
        given = {kappa: sp.Rational(high / low)}
        x = np.array([float(sp.N(values[u].xreplace(given), 40)) for u in (alpha, *program.parameters, rate)])
        slopes = np.maximum(np.linalg.norm(here.slopes(x), axis=1), 1e-300)
        violation = min(violation, float((here.values(x) / slopes).min()))
        multipliers, left = here.multipliers(x, within=1e-9)
        remainder = max(remainder, float(left))
        best = float(here.scores(here.grid(size)).min())
        gap = min(gap, float((best - x[-1]) / max(1 - x[-1], 1e-12)))
        if here is program:
            names = {here.constraints[j].name: round(m, 9) for j, m in multipliers.items()}
    return Certificate(checked, names, remainder, violation, tuple(high / low for low, high in spectra), size, gap)
