"""Walking a rule step by step in double precision, straight from its equations: what a search looks at before a proof."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import sympy as sp

from optlab.expressions import Rule
from optlab.symbols import alpha, g, t, theta

Numbers = Mapping[sp.Symbol, float]


class Walker:
    """A rule's compiled equations. ``numbers`` holds a float for every hyper-parameter; it is what the callers vary.

    >>> from optlab import rules
    >>> Walker(rules.get("sgd")).points({}, [0.5, 0.5], [1.0, 2.0], 1.0)
    [1.0, 0.5, -0.5]
    """

    def __init__(self, rule: Rule) -> None:
        self.parameters = tuple(rule.parameters)
        self.states = (theta, *rule.state)
        left = dict.fromkeys(left for left, _ in rule.equations)
        names = list(dict.fromkeys((theta, g, alpha, t, *self.parameters, *rule.state, *left)))
        self.index = {name: position for position, name in enumerate(names)}
        self.steps = [(self.index[name], self._function(names, right)) for name, right in rule.equations]
        self.initial = [(self.index[key], self._function(names, value)) for key, value in rule.initial.items()]
        self.look = None if rule.gradient_at == theta else self._function(names, rule.gradient_at)
        self.size = len(names)

    @staticmethod
    def _function(names: Sequence[sp.Symbol], expression: sp.Expr) -> Callable[..., float]:
        function: Callable[..., float] = sp.lambdify(names, expression, modules="math", cse=False)
        return function

    def start(self, numbers: Numbers, first: float) -> list[float]:
        """Everything that is known before the first step."""
        now = [0.0] * self.size
        for key, value in numbers.items():
            if key in self.index:
                now[self.index[key]] = value
        now[0] = first
        for position, function in self.initial:
            now[position] = function(*now)
        return now

    def point(self, now: list[float], rate: float, step: int) -> float:
        """Where the gradient of this step is taken."""
        if self.look is None:
            return now[0]
        now[2], now[3] = rate, step
        return self._value(self.look, now)

    def advance(self, now: list[float], gradient: float, rate: float, step: int) -> None:
        """One step, in place; ``nan`` where a formula has no value."""
        now[1], now[2], now[3] = gradient, rate, step
        for position, function in self.steps:
            now[position] = self._value(function, now)

    @staticmethod
    def _value(function: Callable[..., float], now: list[float]) -> float:
        try:
            value = function(*now)
        except (ZeroDivisionError, OverflowError, ValueError):
            return math.nan
        return value if isinstance(value, (float, int)) else math.nan

    def points(self, numbers: Numbers, rates: Sequence[float], gradients: Sequence[float], first: float) -> list[float]:
        """Where the gradient is taken at every step, and where it would be taken next: all that an objective sees of an optimizer."""
        now = self.start(numbers, first)
        out = [self.point(now, rates[0], 1)]
        for step, (rate, gradient) in enumerate(zip(rates, gradients, strict=True), 1):
            self.advance(now, gradient, rate, step)
            out.append(self.point(now, rates[min(step, len(rates) - 1)], step + 1))
        return out


@lru_cache(maxsize=512)
def _compiled(rule: Rule, names: tuple[Any, ...]) -> Walker:
    return Walker(rule)


def walker(rule: Rule) -> Walker:
    """The rule's walker, kept per definition."""
    free = rule.unbound()
    return _compiled(free, tuple(free.parameters))
