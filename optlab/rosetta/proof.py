"""Proving that two forms go the same way: a map of their states that holds after the first step and is kept by every later one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from optlab.rosetta.forms import Form
from optlab.rosetta.search import NONE, Found, Put
from optlab.symbols import alpha, g, t, theta

Numbers = dict[sp.Symbol, sp.Expr]


@dataclass(frozen=True)
class Proof:
    """An induction over the steps.

    ``states``: each state of the target as an expression in the source's. ``point``: where the target's theta is, in the source's terms.
    ``holds``: the first step establishes the map, and a step from any states that obey it leads to states that do.
    """

    holds: bool
    states: dict[sp.Symbol, sp.Expr]
    point: sp.Expr
    reason: str = ""


def prove(source: Form, target: Form, found: Found, put: Put = NONE) -> Proof:
    """Prove the map by induction: exactly, in symbols, for every gradient, every start and every hyper-parameter.

    >>> from optlab.rosetta.forms import forms, own
    >>> from optlab.rosetta.search import search
    >>> torch, mine = forms("momentum", "torch")[0], own("momentum").form
    >>> proof = prove(mine, torch, search(mine, torch))
    >>> proof.holds, proof.states
    (True, {v: -v/alpha})
    """
    ours, theirs, before = _tidy(source, target, found, put)
    own, other = _first(source, ours, before), _first(target, theirs, before)
    states: dict[sp.Symbol, sp.Expr] = {}
    for key in target.rule.state:
        expression = _state(key, own, other, source, target)
        if expression is None:
            return Proof(False, {}, theta, f"the state {key} is no multiple of a state of the source")
        states[key] = expression
    following = alpha if found.constant_rate else sp.Symbol("alpha_next", positive=True)
    reached = _point(source, ours, own, following) - _point(target, theirs, other, following)
    if not vanishes(reached):
        return Proof(False, states, theta, "the first steps differ")
    k = sp.Symbol("k", integer=True, positive=True)
    later = {t: k + 1}
    previous = alpha if found.constant_rate else sp.Symbol("alpha_before", positive=True)
    start = {theta: theta} | {key: key for key in source.rule.state}
    mapped = {key: value.xreplace({alpha: previous}) for key, value in states.items()}
    here = source.rule.gradient_at.xreplace(ours | later)
    drift = target.rule.gradient_at.xreplace(theirs | later) - theta
    if drift.has(theta):
        return Proof(False, states, theta, "the gradient is taken at a multiple of theta")
    target_theta = here - drift.xreplace(mapped)
    own, other = _step(source, ours | later, start), _step(target, theirs | later, {theta: target_theta} | mapped)
    after = {t: k + 2}
    for key, value in states.items():
        if not vanishes(other[key] - value.subs(own, simultaneous=True)):
            return Proof(
                False, states, theta, f"the map of {key} is not kept" + ("" if found.constant_rate else " when the learning rate changes")
            )
    mine = source.rule.gradient_at.xreplace(ours | after | {alpha: following}).subs(own, simultaneous=True)
    yours = target.rule.gradient_at.xreplace(theirs | after).xreplace({alpha: following})
    if not vanishes(mine - yours.subs(other, simultaneous=True)):
        return Proof(False, states, theta, "theta parts from the source's in a later step")
    return Proof(True, states, sp.simplify(target_theta.xreplace({previous: alpha})))


def _tidy(source: Form, target: Form, found: Found, put: Put) -> tuple[Numbers, Numbers, Numbers]:
    """Replacements for the hyper-parameters of both sides, and t = 1."""
    fixed = {key: source.defaults[key] for key in source.rule.parameters if key not in source.free}
    ours = fixed | dict(put)
    theirs = {key: value.xreplace(ours) for key, value in found.numbers.items()} | {alpha: found.factor * alpha}
    return ours, theirs, {t: sp.Integer(1)}


def _step(form: Form, numbers: Numbers, start: Mapping[sp.Symbol, sp.Expr]) -> dict[sp.Symbol, sp.Expr]:
    """Everything after one step from these values."""
    now = dict(start)
    for left, right in form.rule.equations:
        now[left] = right.xreplace(dict(numbers)).subs(now, simultaneous=True)
    return now


def _first(form: Form, numbers: Numbers, before: Numbers) -> dict[sp.Symbol, sp.Expr]:
    start = {theta: theta} | {key: value.xreplace(dict(numbers)) for key, value in form.rule.initial.items()}
    return _step(form, dict(numbers) | dict(before), start)


def _point(form: Form, numbers: Numbers, now: Mapping[sp.Symbol, sp.Expr], rate: sp.Expr) -> sp.Expr:
    return form.rule.gradient_at.xreplace(dict(numbers) | {t: sp.Integer(2)}).xreplace({alpha: rate}).subs(dict(now), simultaneous=True)


def _state(
    key: sp.Symbol, own: Mapping[sp.Symbol, sp.Expr], other: Mapping[sp.Symbol, sp.Expr], source: Form, target: Form
) -> sp.Expr | None:
    """The target's state as a multiple of one of the source's, or one plus a number, told by the first step; its own name comes first."""
    value = other[key]
    for name in sorted(source.rule.state, key=lambda state: state != key):
        if source.rule.state[name].kind != target.rule.state[key].kind:
            continue
        if value == own[name]:
            return name
        if own[name] != 0 and value != 0:
            ratio = sp.factor(sp.simplify(value / own[name]))
            if not ratio.free_symbols & {g, theta}:
                above, below = sp.fraction(ratio)
                return -above / -below * name if below.could_extract_minus_sign() or above.could_extract_minus_sign() else ratio * name
            apart = sp.simplify(value - own[name])
            if not apart.free_symbols & {g, theta}:
                return name + apart
    if value == 0 or not value.free_symbols & {g, theta}:
        return sp.sympify(value)
    return None


def vanishes(expression: sp.Expr) -> bool:
    """Whether SymPy brings the expression to zero."""
    if expression == 0:
        return True
    for simpler in (sp.expand, sp.powdenest, sp.simplify, lambda e: sp.simplify(sp.expand(e)), sp.radsimp):
        expression = simpler(expression)
        if expression == 0:
            return True
    return False
