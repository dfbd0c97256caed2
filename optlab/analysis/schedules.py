"""The area under a schedule, the sum of its learning rates, in closed form; :mod:`optlab.analysis.areas` verifies it."""

from __future__ import annotations

import sympy as sp

from optlab import schedules
from optlab.errors import InputError, UnsupportedError
from optlab.expressions import Schedule
from optlab.symbols import symbol, time

T = symbol("T")  #: the number of steps

#: The families whose own length bounds the sum, and the order of its pieces' ends.
LENGTH = {"cosine": "steps", "warmup_cosine": "steps", "one_cycle": "steps"}


def antidifference(f: sp.Expr) -> sp.Expr:
    """F with F(t + 1) - F(t) = f(t), t a schedule's step number.

    Polynomials, cosines of a t + b, c/(t + b) (harmonic numbers) and c/sqrt(t + b) (the Hurwitz zeta function) have one.

    >>> from optlab.symbols import time
    >>> antidifference(time)
    t*(t - 1)/2
    """
    return sp.Add(*(factor * of_one(moving) for factor, moving in terms(f)))


def terms(f: sp.Expr) -> list[tuple[sp.Expr, sp.Expr]]:
    """The terms of a sum, as a factor free of t and the rest."""
    return [term.as_independent(time, as_Add=False) for term in sp.Add.make_args(sp.expand(f))]


def of_one(f: sp.Expr) -> sp.Expr:
    """The antidifference of one term."""
    if f.is_polynomial(time):
        return sp.factor(sp.Add(*(_power(k[0]) * c for k, c in sp.Poly(f, time).terms())))
    if isinstance(f, sp.cos):
        slope, offset = affine(f.args[0])
        if sp.sin(slope / 2) == 0:  # whole turns: the cosine is the same at every whole t
            return sp.cos(offset) * time
        return sp.sin(slope * time + offset - slope / 2) / (2 * sp.sin(slope / 2))
    base, exponent = f.as_base_exp()
    slope, offset = affine(base)
    if exponent == -1:
        return sp.harmonic(time + offset / slope - 1) / slope
    if exponent == -sp.Rational(1, 2) and slope == 1:
        return -sp.zeta(-exponent, time + offset)
    raise UnsupportedError(f"the sum of {f} over t has no closed form here: add the learning rates")


def _power(k: int) -> sp.Expr:
    """The antidifference of t^k that vanishes at 0."""
    return sp.expand((sp.bernoulli(k + 1, time) - sp.bernoulli(k + 1, 0)) / (k + 1)) if k else time


def affine(e: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Slope and value at 0 of what is linear in t."""
    slope = sp.cancel(sp.diff(e, time))
    if slope.has(time) or slope == 0:
        raise UnsupportedError(f"the sum over t of a function of {e} has no closed form here: add the learning rates")
    return slope, e.subs(time, 0)


def area(schedule: Schedule | float | str, steps: object = None) -> sp.Expr:
    """The sum of the learning rates of steps 0, ..., steps - 1, exact.

    ``steps`` is a number or a symbol, T if not given; schedules with a length of their own (cosine, ...) sum over that length unless
    ``steps`` is a number. Unbound parameters stay symbols: the pieces of a schedule are then taken in their order,
    ``0 <= warmup <= steps`` for instance.

    Raises UnsupportedError for a formula without closed sum.

    >>> area("cosine"), area("inverse_time(c=1, t0=1)", 4)
    ((floor*steps - floor + peak*steps + peak)/2, 25/12)
    """
    record = schedules.as_schedule(schedule)
    own = symbol(LENGTH[record.name]) if record.name in LENGTH else T
    defaults = {p: r.default for p, r in record.parameters.items() if r.default is not None and p not in record.bound and steps is not None}
    expression = record.expression.xreplace(defaults)
    if steps is None:
        end = own.xreplace(record.bound)
    else:
        end = sp.sympify(steps)
        if end.is_number and not (end.is_integer and end.is_nonnegative):
            raise InputError(f"steps = {steps} must be a whole number of at least 0")
    return sp.Add(*(_between(*part) for part in parts(record, expression, end)))


def parts(record: Schedule, expression: sp.Expr, end: sp.Expr) -> list[tuple[sp.Expr, sp.Expr, sp.Expr]]:
    """(formula, start, stop) of each piece that takes steps: from start to stop - 1."""
    pieces = expression.args if isinstance(expression, sp.Piecewise) else ((expression, sp.true),)
    whole = {p for p, r in record.parameters.items() if r.integer} | {T}
    out = []
    start: sp.Expr = sp.Integer(0)
    for formula, condition in pieces:
        stop = end if condition == sp.true else _first_outside(condition, whole)
        stop = sp.Max(start, sp.Min(stop, end)) if stop.is_number and end.is_number else stop
        if start != stop:
            out.append((formula, start, stop))
        start = stop
    return out


def _first_outside(condition: sp.Basic, whole: set[sp.Symbol]) -> sp.Expr:
    """The first whole t at which ``t < end`` fails."""
    if not isinstance(condition, (sp.StrictLessThan, sp.StrictGreaterThan)) or condition.lts != time:
        raise UnsupportedError(f"the condition {condition} of a piece is not t < end: add the learning rates")
    end = condition.gts
    counts = end.free_symbols <= whole and end.is_polynomial() and all(c.is_Integer for c in sp.Poly(end, *whole).coeffs())
    return end if counts else sp.ceiling(end)


def _between(formula: sp.Expr, start: sp.Expr, stop: sp.Expr) -> sp.Expr:
    anti = antidifference(formula)
    difference = anti.subs(time, stop) - anti.subs(time, start)
    if difference.has(sp.sin) and not difference.has(sp.ceiling):
        difference = _half_turn(difference)
    return sp.factor_terms(difference)


def _half_turn(e: sp.Expr) -> sp.Expr:
    """The same with sin(pi (q + r/p)) for the sine of a fraction: SymPy folds the half turns, and half a cosine's sum loses its sines."""

    def fold(x: sp.Expr) -> sp.Expr:
        top, bottom = sp.fraction(sp.cancel(sp.together(x / sp.pi)))
        gens = sorted(bottom.free_symbols, key=str)
        if not gens:
            return sp.sin(x)
        quotient, rest = sp.div(top, bottom, *gens)
        return sp.sin(sp.pi * quotient + sp.pi * rest / sp.factor(bottom))

    return sp.cancel(e.replace(sp.sin, fold)) if e.free_symbols else e
