"""The areas under the built-in schedules, and what SymPy verifies of each: the antidifference, its ends, and their order."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import sympy as sp

from optlab import schedules
from optlab.analysis.fractions import spanned
from optlab.analysis.schedules import LENGTH, T, affine, area, of_one, parts, terms
from optlab.bounds.record import Obligation
from optlab.errors import CheckFailed
from optlab.expressions import Schedule
from optlab.statements import Statement
from optlab.symbols import symbol, time

ZETA = "NIST Digital Library of Mathematical Functions, 25.11.3: zeta(s, x) = x^(-s) + zeta(s, x + 1)"


def remainder(f: sp.Expr, F: sp.Expr, *, recurrence: bool = False) -> sp.Expr:
    """F(t + 1) - F(t) - f(t), 0 where SymPy verifies that F is an antidifference of the single term f.

    SymPy does not know the recurrence of the Hurwitz zeta function; with ``recurrence`` it is told.

    >>> remainder(time, time * (time - 1) / 2), remainder(time, time**2 / 2)
    (0, 1/2)
    """
    after = F.subs(time, time + 1)
    if recurrence:
        after = after.replace(sp.zeta, lambda s, x: sp.zeta(s, x - 1) - (x - 1) ** (-s))
    rest = sp.expand_func(after - F - f)
    if isinstance(f, sp.cos):
        rest = sp.expand_trig(_by_angles(rest, *affine(f.args[0])))
    return sp.cancel(sp.together(rest))


def _by_angles(e: sp.Expr, slope: sp.Expr, offset: sp.Expr) -> sp.Expr:
    """Sines and cosines of p (slope t + offset) + q slope, p and q rational, in two symbols: the sum formulas then apply."""
    angle, turn = sp.Dummy("angle", real=True), sp.Dummy("turn", real=True)

    def write(x: sp.Expr) -> sp.Expr:
        p = sp.cancel(sp.diff(x, time) / slope)
        q = sp.cancel((x.subs(time, 0) - p * offset) / slope)
        return p * angle + q * turn if p.is_Rational and q.is_Rational else x

    return e.replace(lambda x: isinstance(x, (sp.sin, sp.cos)), lambda x: x.func(write(x.args[0])))


def _domain(record: Schedule) -> dict[sp.Symbol, sp.Expr]:
    """Each parameter written in something nonnegative, so that its range is built in."""
    out = {}
    for parameter, entry in record.parameters.items():
        sign = {"positive": True} if entry.domain.left_open else {"nonnegative": True}
        u = sp.Dummy(parameter.name, integer=entry.integer or None, **sign)
        out[parameter] = spanned(entry.domain, u)
    return out


def _positive(e: sp.Expr, domain: Mapping[sp.Symbol, sp.Expr]) -> bool:
    return bool(sp.factor(sp.cancel(e.subs(domain))).is_positive)


@lru_cache(maxsize=1)
def statements() -> tuple[Statement, ...]:
    """The area under each built-in schedule over its own length (T where it has none)."""
    return tuple(statement(record) for record in schedules.builtin())


def statement(record: Schedule) -> Statement:
    """The area under one schedule and what is known of it.

    Every whole end follows from the identity F(t + 1) - F(t) = f(t) by adding it up. Conditions are what the parameters' own
    ranges do not imply: that a piece has steps, and that no denominator of an antidifference vanishes.

    Raises CheckFailed if SymPy contradicts an antidifference, an end that is no whole number, or the order of the ends.

    >>> statement(schedules.get("cosine").with_()).status
    'proved'
    """
    total, end = area(record), symbol(LENGTH[record.name]) if record.name in LENGTH else T
    name = f"area_{record.name}"
    pieces = parts(record, record.expression, end)
    domain = _domain(record)
    whole = {p: sp.Dummy(p.name, integer=True) for p, r in record.parameters.items() if r.integer} | {T: sp.Dummy("T", integer=True)}
    conditions: list[sp.Basic] = []
    told = False
    for formula, start, stop in pieces:
        if not stop.xreplace(whole).is_integer:
            raise CheckFailed(f"{name}: the end {stop} of a piece is not a whole number")
        last = stop.args[0] if isinstance(stop, sp.ceiling) else stop  # ceiling(x) <= m and x <= m are the same for whole m
        first = start.args[0] if isinstance(start, sp.ceiling) else start
        if not Obligation("the ends follow one another", last - first, at_least=True, where=domain).holds():
            if not stop.is_Symbol:
                raise CheckFailed(f"{name}: the piece from {start} to {stop} may end before it starts")
            conditions.append(sp.Lt(start, stop))
            domain[stop] = start.subs(domain) + 1 + sp.Dummy(stop.name, integer=True, nonnegative=True)
        for moving in dict.fromkeys(moving for _, moving in terms(formula)):
            F = of_one(moving)
            if remainder(moving, F) != 0:
                if remainder(moving, F, recurrence=True) != 0:
                    raise CheckFailed(f"{name}: {F} is no antidifference of {moving}")
                told = True
            if isinstance(moving, sp.cos):
                half = affine(moving.args[0])[0] / 2
                if not (_positive(half / sp.pi, domain) and _positive(1 - half / sp.pi, domain)):
                    conditions.append(sp.Ne(sp.sin(half if not half.could_extract_minus_sign() else -half), 0))
    how = "F(t + 1) - F(t) = f(t) for each term f of each piece, added up over the piece"
    status = "stated" if told else "proved"
    if all(formula.is_polynomial(time) for formula, _, _ in pieces):
        summed = sp.Add(*(sp.summation(formula, (time, start, stop - 1)) for formula, start, stop in pieces))
        if sp.expand(summed - total) == 0:
            status, how = "derived", "SymPy's own summation of each piece"
    return Statement(
        name=name, about=f"the sum of the learning rates of {record.name} over its length", expression=total, status=status,
        how=how + ("; the recurrence of the Hurwitz zeta function is told" if told else ""), reference=ZETA if told else "",
        symbols={p: r.about for p, r in record.parameters.items() if r.about}, conditions=tuple(dict.fromkeys(conditions)),
    )  # fmt: skip
