"""Which hyper-parameters of one form make it follow another: candidates are expressions in the other's, tried on generic numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy as sp

from optlab.expressions import Parameter
from optlab.rosetta.forms import Form
from optlab.rosetta.walk import Walker, walker
from optlab.symbols import alpha, g, t, theta

#: Numbers without relations among them, so that what holds for them is no accident.
GRADIENTS = ((0.73, -1.31, 0.29, 0.87, -0.41, 1.93), (-0.57, -0.19, 1.61, 0.37, 0.83, -1.13))
VARYING = (0.31, 0.17, 0.47, 0.23, 0.13, 0.37)
CONSTANT = (0.31,) * 6
FIRST = 0.83
_MEMORIES = (0.6180339, 0.7390851, 0.5671433, 0.4142136)
_SIZES = (0.3183099, 0.1732051, 0.2718282, 0.0915966)
TOLERANCE = 1e-10
Put = frozenset[tuple[sp.Symbol, sp.Expr]]  #: hyper-parameters of the source that have a value
NONE: Put = frozenset()


@dataclass(frozen=True)
class Found:
    """A map that passed: each hyper-parameter of the target as an expression, and the factor of its learning rate."""

    numbers: Mapping[sp.Symbol, sp.Expr]
    factor: sp.Expr
    constant_rate: bool

    def identity(self) -> bool:
        """Whether every hyper-parameter that both have stays as it is, and the learning rate too."""
        return self.factor == 1 and all(key == value or value.is_number for key, value in self.numbers.items())


def generic(form: Form, put: Put = NONE) -> dict[sp.Symbol, float]:
    """A number for every hyper-parameter of the form, inside its interval; those without an option have the library's."""
    out: dict[sp.Symbol, float] = {}
    memories, sizes = itertools.cycle(_MEMORIES), itertools.cycle(_SIZES)
    for key, record in form.rule.parameters.items():
        if key not in form.free:
            out[key] = float(form.defaults[key])
        else:
            out[key] = next(memories) if is_memory(record) else next(sizes)
    return out | {key: float(value) for key, value in put}


@lru_cache(maxsize=64)
def _contains(domain: sp.Set, number: sp.Integer) -> bool:
    return domain.contains(number) is sp.true


def is_memory(record: Parameter) -> bool:
    """Whether a hyper-parameter lies between 0 and 1."""
    return bool(record.domain.sup == 1)


def search(source: Form, target: Form, put: Put = NONE) -> Found | None:
    """The simplest map under which the target goes where the source goes, for any learning rates or else for a constant one.

    ``put`` holds hyper-parameters of the source that have a value, 0 say. What is found holds on generic numbers; :mod:`proof` proves it.
    """
    numbers = generic(source, put)
    ours, theirs = walker(source.rule), walker(target.rule)
    floats: dict[sp.Expr, float] = {}
    candidates = [(candidate, _at(candidate, numbers, floats)) for candidate in _candidates(source, target, put)]
    for rates in (VARYING, CONSTANT):
        paths = [ours.points(numbers, rates, gradients, FIRST) for gradients in GRADIENTS]
        if any(map(math.isnan, paths[0])):
            return None
        for candidate, values in candidates:
            factor = _factor(ours, theirs, numbers, values, rates)
            if factor is None:
                continue
            scaled = values if factor == 1 else _rescaled(candidate, values, factor)
            if all(_follows(theirs, scaled, rates, factor, gradients, path) for gradients, path in zip(GRADIENTS, paths, strict=True)):
                exact_factor = sp.Integer(1) if factor == 1 else symbolic_factor(source, target, candidate, put)
                if exact_factor is None:
                    continue
                mapping = {key: value / exact_factor if _scales(key, value) else value for key, value in candidate.items()}
                return Found(mapping, exact_factor, rates is CONSTANT)
    return None


def _at(candidate: Mapping[sp.Symbol, sp.Expr], numbers: Mapping[sp.Symbol, float], known: dict[sp.Expr, float]) -> dict[sp.Symbol, float]:
    """The candidate's values at these numbers; ``known`` remembers them."""
    for value in candidate.values():
        if value not in known:
            known[value] = float(value.xreplace({key: sp.Float(number) for key, number in numbers.items()}))
    return {key: known[value] for key, value in candidate.items()}


def _scales(key: sp.Symbol, value: sp.Expr) -> bool:
    """Weight decay acts through alpha wd: where alpha has a factor, wd has its inverse."""
    return key.name == "wd" and value != 0


def _rescaled(candidate: Mapping[sp.Symbol, sp.Expr], values: Mapping[sp.Symbol, float], factor: float) -> dict[sp.Symbol, float]:
    return {key: value / factor if _scales(key, candidate[key]) else value for key, value in values.items()}


def _follows(theirs: Walker, values: Any, rates: Any, factor: float, gradients: Any, path: list[float]) -> bool:
    now = theirs.start(values, FIRST)
    scaled = [rate * factor for rate in rates]
    for step, gradient in enumerate(gradients, 1):
        theirs.advance(now, gradient, scaled[step - 1], step)
        point = theirs.point(now, scaled[min(step, len(scaled) - 1)], step + 1)
        if not abs(point - path[step]) <= TOLERANCE * (abs(path[step]) + abs(path[step] - path[step - 1])):
            return False
    return True


def _factor(ours: Walker, theirs: Walker, numbers: Any, values: Any, rates: Any) -> float | None:
    """What the target's learning rate has to be multiplied with: told by the first step from theta = 0."""
    (_, own, *_), (_, other, *_) = (
        w.points(n, rates[:1], GRADIENTS[0][:1], 0.0) for w, n in ((ours, numbers), (theirs, values))
    )  # fmt: skip
    if not (math.isfinite(own) and math.isfinite(other)) or own == 0 or other == 0 or own / other < 0:
        return None
    return 1.0 if abs(own / other - 1) < TOLERANCE else own / other


def _candidates(source: Form, target: Form, put: Put) -> Iterator[dict[sp.Symbol, sp.Expr]]:
    """Assignments of expressions to the target's hyper-parameters, the simplest first, at most two of them unlike the source's own."""
    known = {key: record for key, record in source.rule.parameters.items() if key not in dict(put)}
    written = {number for _, right in source.rule.equations for number in right.atoms(sp.Rational) if 0 < number < 1}
    choices: list[list[tuple[int, sp.Expr]]] = []
    for key, record in target.rule.parameters.items():
        if key not in target.free:
            choices.append([(0, target.defaults[key])])
            continue
        here: list[tuple[int, sp.Expr]] = [(0, key)] if key in known else []
        here += [(0 if not here else 2, sp.Integer(0))]
        fixed = [source.defaults[key]] if key in known and key not in source.free else []
        here = [(0, value) for value in fixed] + here
        numbers = [sp.Integer(n) for n in (0, 1) if _contains(record.domain, n)]
        here += [(1 + position, n) for position, n in enumerate(numbers)]
        same = [other for other, about in known.items() if other != key and is_memory(about) == is_memory(record) and other in source.free]
        here += [(2, other) for other in same]
        if record.domain == sp.Interval(0, 1):
            here += [
                (2, other) for other in known if other != key and other in source.free and other not in same and is_memory(known[other])
            ]
        here += [(3, number) for number in sorted(written) if is_memory(record)]  # a rule of one's own may have them written in
        here += [(3, 1 - other) for other in known if is_memory(known[other]) and is_memory(record) and other in source.free]
        choices.append(list(dict.fromkeys(sorted(here, key=lambda pair: pair[0]))))
    every = itertools.product(*choices)
    kept = [pick for pick in every if sum(cost > 0 for cost, _ in pick) <= 2]
    seen: set[tuple[sp.Expr, ...]] = set()
    for pick in sorted(kept, key=lambda pick: sum(cost for cost, _ in pick)):
        values = tuple(value for _, value in pick)
        if values not in seen:
            seen.add(values)
            yield dict(zip(target.rule.parameters, values, strict=True))


def first_move(form: Form, numbers: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """The displacement of the gradient's point in the first step from theta = 0, as an expression in g and alpha."""
    now: dict[sp.Symbol, sp.Expr] = {theta: sp.Integer(0)} | {key: value.xreplace(numbers) for key, value in form.rule.initial.items()}
    for left, right in form.rule.equations:
        now[left] = right.xreplace(dict(numbers) | {t: sp.Integer(1)}).subs(now, simultaneous=True)
    return form.rule.gradient_at.xreplace(dict(numbers) | {t: sp.Integer(2)}).subs(now, simultaneous=True)


def symbolic_factor(source: Form, target: Form, candidate: Mapping[sp.Symbol, sp.Expr], put: Put) -> sp.Expr | None:
    """The factor of the learning rate, solved: the target's first move with alpha times it is the source's."""
    factor = sp.Symbol("factor", positive=True)
    ours = first_move(source, dict(put))
    theirs = first_move(target, {key: value for key, value in candidate.items() if key != value})
    found = sp.solve(sp.Eq(theirs.xreplace({alpha: factor * alpha}), ours), factor)
    clean = [sp.factor(sp.simplify(value)) for value in found]
    clean = [value for value in clean if not value.free_symbols & {g, alpha, theta}]
    return clean[0] if len(clean) == 1 else None
