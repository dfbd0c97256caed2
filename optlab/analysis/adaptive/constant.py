"""A rule under a constant gradient: what its states come to rest at, and their closed form at step t."""

from __future__ import annotations

from functools import lru_cache

import sympy as sp

from optlab.analysis.adaptive.positivity import domain, nonnegative
from optlab.analysis.adaptive.update import compose, settled, tidy
from optlab.errors import UnsupportedError
from optlab.expressions import Equations, Rule
from optlab.symbols import g, t, theta


@lru_cache(maxsize=256)
def at_rest(rule: Rule, equations: Equations | None = None) -> dict[sp.Symbol, sp.Expr]:
    """The states' fixed point where theta and the gradient stay as they are, as expressions in g (and theta).

    A state of first degree in itself is solved for; one that is a Max is what its other argument rests at, if that is proved to be
    a fixed point. Raises UnsupportedError naming a state that has none (Adagrad's sum of squares grows for ever).
    """
    equations = equations or settled(rule)
    now, inside = compose(equations), domain(rule)
    states = [s for s in rule.state if s in now]
    found: dict[sp.Symbol, sp.Expr] = {}
    while len(found) < len(states):
        ready = [s for s in states if s not in found and not now[s].xreplace(found).free_symbols & (set(states) - {s})]
        if not ready:
            raise UnsupportedError(f"rule {rule.name}: its states {', '.join(map(str, states))} have no fixed point that is found in turn")
        for state in ready:
            found[state] = _fixed(rule, state, now[state].xreplace(found), inside)
    return found


def _fixed(rule: Rule, state: sp.Symbol, new: sp.Expr, inside: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    slope = sp.diff(new, state)
    if not slope.has(state) and not new.has(sp.Max):
        if slope == 1:
            raise UnsupportedError(f"rule {rule.name}: its state {state} has no rest under a constant gradient: it becomes {new}")
        return tidy(new.xreplace({state: sp.Integer(0)}) / (1 - slope))
    for largest in new.atoms(sp.Max):
        for argument in largest.args:
            if not argument.has(state):
                candidate, rest = tidy(argument), [a for a in largest.args if a is not argument]
                same = new.xreplace({largest: candidate}) == candidate
                if same and all(nonnegative(candidate - a.xreplace({state: candidate}), inside) for a in rest):
                    return candidate
    raise UnsupportedError(f"rule {rule.name}: no fixed point of its state {state} is found; it becomes {new}")


@lru_cache(maxsize=256)
def after(rule: Rule) -> dict[sp.Symbol, sp.Expr]:
    """The states after t steps under a constant gradient, as expressions in g, t and the hyper-parameters.

    Raises UnsupportedError naming a state without a closed form.
    """
    now, inside = compose(rule.equations), domain(rule)
    found: dict[sp.Symbol, sp.Expr] = {}
    while len(found) < len(rule.state):
        before = {s: value.xreplace({t: t - 1}) for s, value in found.items()}
        ready = [s for s in rule.state if s not in found and not now[s].xreplace(before).free_symbols & (rule.state.keys() - {s})]
        if not ready:
            raise UnsupportedError(f"rule {rule.name}: its states depend on each other, so they are not written down one by one")
        for state in ready:
            found[state] = _closed(rule, state, now[state].xreplace(before), inside)
    return found


def _closed(rule: Rule, state: sp.Symbol, new: sp.Expr, inside: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    start, slope = rule.initial[state], sp.diff(new, state)
    push = new.xreplace({state: sp.Integer(0)})
    if not (slope.has(state, t, theta) or push.has(t, theta, sp.Max)):
        if slope == 1:
            return start + t * push
        rest = tidy(push / (1 - slope))
        return rest * (1 - slope**t) + start * slope**t
    for largest in (new,) if isinstance(new, sp.Max) else ():
        for argument in largest.args:
            if not argument.has(state):
                value = tidy(sp.expand(argument))
                rest = [a for a in largest.args if a is not argument]
                first = nonnegative(value.xreplace({t: sp.Integer(1)}) - start, inside)
                if first and all(nonnegative(value - a.xreplace({state: value.xreplace({t: t - 1})}), inside) for a in rest):
                    return value
    raise UnsupportedError(f"rule {rule.name}: its state {state} has no closed form under a constant gradient; it becomes {new}")


def displacement(rule: Rule, states: dict[sp.Symbol, sp.Expr], equations: Equations) -> sp.Expr:
    """How far theta moves in a step that finds these states: ``states`` are expressions in t, put in before and after the step."""
    start = {s: value.xreplace({t: t - 1}) for s, value in states.items()}
    now = {**start}
    for left, right in equations:
        now[left] = states[left] if left in states else right.xreplace(now)
        now[left] = now[left] if left == theta or not now[left].has(g) else cancelled(now[left])
    return now[theta]


def cancelled(expression: sp.Expr) -> sp.Expr:
    """Common factors of a fraction gone, outside roots; sums that are no fraction are left as they stand."""
    return tidy(expression) if expression.is_rational_function() else expression
