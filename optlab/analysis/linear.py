"""Recognizing linear rules: the update as ``s' = A s + b g`` with the gradient taken at ``c . s``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from optlab.errors import NotLinearError
from optlab.expressions import Rule
from optlab.symbols import alpha, g, t, theta


@dataclass(frozen=True)
class LinearForm:
    """``s' = A s + b g``, ``g`` taken at ``c . s``; s = (theta, states...). Entries depend on alpha, t and hyper-parameters."""

    states: tuple[sp.Symbol, ...]
    A: sp.ImmutableMatrix
    b: sp.ImmutableMatrix
    c: sp.ImmutableMatrix

    def steady(self) -> LinearForm:
        """The form that the rule settles to as t grows (first-step conventions and vanished powers b**t gone)."""
        return LinearForm(self.states, *(m.applyfunc(_steady) for m in (self.A, self.b, self.c)))

    def transition(self, curvature: sp.Expr) -> sp.ImmutableMatrix:
        """The matrix of one step on ``f = curvature/2 theta^2``."""
        return sp.ImmutableMatrix((self.A + curvature * self.b * self.c).applyfunc(sp.expand))


def _steady(e: sp.Expr) -> sp.Expr:
    if t not in e.free_symbols:
        return e
    e = e.replace(lambda x: isinstance(x, sp.Eq) and t in x.free_symbols, lambda x: sp.false)
    return sp.piecewise_fold(e.replace(_fades, lambda x: sp.Integer(0)))


def _fades(power: sp.Expr) -> bool:
    """beta**t, or 10**(-t), which is how SymPy writes (1/10)**t."""
    return isinstance(power, sp.Pow) and (power.exp == t or (power.exp == -t and power.base.is_number and bool(abs(power.base) > 1)))


@lru_cache(maxsize=256)
def linear_form(rule: Rule) -> LinearForm:
    """The linear form of the rule.

    Raises NotLinearError naming the quantity that is not linear in the state and the gradient.

    >>> from optlab import rules
    >>> linear_form(rules.get("momentum")).A
    Matrix([
    [1, beta],
    [0, beta]])
    """
    if rule.scalar_states:
        raise NotLinearError(f"rule {rule.name} carries the scalar state {rule.scalar_states[0]}, so its update changes with time")
    states = (theta, *rule.coordinate_states)
    now: dict[sp.Symbol, sp.Expr] = {}
    for left, right in rule.equations:
        now[left] = right.xreplace(now)
    variables = (*states, g)
    zero = dict.fromkeys(variables, sp.Integer(0))
    rows = []
    for target in (*(now[s] for s in states), rule.gradient_at):
        slopes = [sp.diff(target, variable) for variable in variables]
        constant = all(_same_everywhere(slope, variables) for slope in slopes)
        slopes = [sp.simplify(slope) if slope.has(*variables) else slope for slope in slopes] if constant else slopes
        if not constant or any(slope.has(*variables) for slope in slopes) or not _vanishes_at(target, zero):
            where = "the point its gradient is taken at" if target is rule.gradient_at else "its update"
            raise NotLinearError(f"rule {rule.name} is not linear: {where} is {target}; simulate it instead")
        rows.append(slopes)
    k = len(states)
    # piecewise pieces must each be linear, not only their derivative
    A = sp.ImmutableMatrix([row[:k] for row in rows[:k]])
    b = sp.ImmutableMatrix([row[k] for row in rows[:k]])
    c = sp.ImmutableMatrix([rows[k][:k]])
    return LinearForm(states, A, b, c)


def _same_everywhere(slope: sp.Expr, variables: tuple[sp.Symbol, ...]) -> bool:
    """Whether the slope takes one value at two points of the state: a quick no, before SymPy tries to prove a yes."""
    free = sorted(slope.free_symbols, key=str)
    if not set(free) & set(variables):
        return True
    fixed = {s: sp.Rational(3 * i + 2, 31) if s != t else sp.Integer(3) for i, s in enumerate(free)}
    moved = {s: value + sp.Rational(5 * i + 1, 17) if s in variables else value for i, (s, value) in enumerate(fixed.items())}
    here, there = (sp.N(slope.xreplace(point), 30) for point in (fixed, moved))
    return bool(abs(here - there) < sp.Float(10) ** -20)


def _vanishes_at(target: sp.Expr, zero: dict[sp.Symbol, sp.Integer]) -> bool:
    """Whether the expression is 0 at the origin (an affine update would drift)."""
    try:
        value = target.subs(zero)
    except (ZeroDivisionError, TypeError):
        return False
    return bool(sp.simplify(value) == 0)


@lru_cache(maxsize=256)
def is_linear(rule: Rule) -> bool:
    """Whether the rule's update is linear in its state and gradient.

    >>> from optlab import rules
    >>> is_linear(rules.get("nesterov")), is_linear(rules.get("adam"))
    (True, False)
    """
    try:
        linear_form(rule)
    except NotLinearError:
        return False
    return True


def free_parameters(rule: Rule) -> list[sp.Symbol]:
    """The hyper-parameters that the linear form depends on and that are not bound (alpha not among them)."""
    form = linear_form(rule).steady()
    found = set().union(*(m.free_symbols for m in (form.A, form.b, form.c))) - {alpha}
    return [parameter for parameter in rule.parameters if parameter in found]
