"""Equations run in NumPy over all coordinates at once: what an optimizer, a schedule or a norm is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import sympy as sp
from sympy.printing.numpy import NumPyPrinter

from optlab.expressions import Equations, Rule
from optlab.symbols import alpha, g, t, theta


def label(rule: Rule) -> str:
    """The rule with what differs from its defaults.

    >>> from optlab import rules
    >>> label(rules.get("adam", beta1=0.9, beta2=0.99))
    'adam(beta2=0.99)'
    """
    other = {key: value for key, value in rule.bound.items() if value != rule.parameters[key].default}
    return rule.extend(bound=other, chosen=rule.chosen).label()


class _Printer(NumPyPrinter):
    """Maxima and cases element by element, also of a number beside an array; roots by sqrt."""

    def _print_Max(self, expr: sp.Max) -> str:
        return self._folded("numpy.maximum", expr.args)

    def _print_Min(self, expr: sp.Min) -> str:
        return self._folded("numpy.minimum", expr.args)

    def _folded(self, name: str, args: Sequence[sp.Expr]) -> str:
        out = self._print(args[0])
        for arg in args[1:]:
            out = f"{name}({out}, {self._print(arg)})"
        return out

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        out = "numpy.nan"
        for value, condition in reversed(expr.args):
            out = self._print(value) if condition == sp.true else f"numpy.where({self._print(condition)}, {self._print(value)}, {out})"
        return out

    def _print_Pow(self, expr: sp.Pow, rational: bool = False, sqrt: str = "numpy.sqrt") -> str:
        if expr.exp in (sp.S.Half, -sp.S.Half):
            root = f"numpy.sqrt({self._print(expr.base)})"
            return root if expr.exp.is_positive else f"(1/{root})"
        if expr.exp == 2 and expr.base.is_Symbol:
            return f"({self._print(expr.base)}*{self._print(expr.base)})"
        return super()._print_Pow(expr, rational=rational)


@lru_cache(maxsize=8192)
def printed(expression: sp.Expr) -> str:
    """An expression as NumPy source."""
    return str(_Printer({"fully_qualified_modules": True, "allow_unknown_functions": False}).doprint(expression))


@lru_cache(maxsize=2048)
def _compiled(equations: Equations, states: tuple[sp.Symbol, ...], parameters: tuple[sp.Symbol, ...]) -> Callable[..., Any]:
    arguments = ", ".join(str(s) for s in (*states, g, alpha, t, *parameters))
    lines = [f"def step({arguments}):", *(f"    {left} = {printed(right)}" for left, right in equations)]
    lines.append(f"    return ({', '.join(map(str, states))},)")
    space: dict[str, Any] = {"numpy": np}
    exec("\n".join(lines), space)
    return space["step"]


@dataclass(frozen=True)
class Setting:
    """What an optimizer is fed: gradients (steps, coordinates), rates (steps,), a start, and how coordinates make up parameters."""

    gradients: np.ndarray
    rates: np.ndarray
    start: np.ndarray
    sizes: tuple[int, ...]

    def until(self, steps: int) -> Setting:
        """The first steps of it."""
        return replace(self, gradients=self.gradients[:steps], rates=self.rates[:steps])

    @property
    def slices(self) -> list[slice]:
        """Where each parameter's coordinates are."""
        ends = np.cumsum(self.sizes)
        return [slice(int(end) - size, int(end)) for end, size in zip(ends, self.sizes, strict=True)]


@dataclass(frozen=True)
class Program:
    """The equations of one step, with numbers for the hyper-parameters and the states' first values.

    >>> from optlab import rules
    >>> setting = Setting(np.array([[1.0], [2.0]]), np.array([0.5, 0.5]), np.array([1.0]), (1,))
    >>> Program.of(rules.get("sgd")).run(setting)[:, 0]
    array([ 1. ,  0.5, -0.5])
    """

    equations: Equations
    states: tuple[sp.Symbol, ...]  #: theta first
    initial: Mapping[sp.Symbol, sp.Expr]
    values: Mapping[sp.Symbol, float]
    name: str = field(default="", compare=False)

    @classmethod
    def of(cls, rule: Rule) -> Program:
        """A rule's own equations, at its bound or default values."""
        free = rule.unbound()
        values = {key: float(value) for key, value in rule.values.items()}
        return cls(free.equations, (theta, *free.state), free.initial, values, rule.label())

    def with_equations(self, equations: Equations) -> Program:
        """The same with other equations."""
        return replace(self, equations=equations)

    def with_values(self, values: Mapping[sp.Symbol, float]) -> Program:
        """The same with some hyper-parameters changed."""
        return replace(self, values={**self.values, **values})

    @property
    def key(self) -> tuple[object, ...]:
        """What tells programs apart."""
        return (self.equations, tuple(self.values.items()), tuple(self.initial.items()))

    @cached_property
    def step(self) -> Callable[..., Any]:
        """``step(theta, *states, g, alpha, t, *parameters) -> (theta, *states)``."""
        return _compiled(self.equations, self.states, tuple(self.values))

    def first(self, start: np.ndarray) -> list[Any]:
        """theta and the states before the first step."""
        begin = {
            key: sp.sympify(value).xreplace({p: sp.Float(v, 17) for p, v in self.values.items()}) for key, value in self.initial.items()
        }
        return [start.copy(), *(np.full(start.shape, float(begin[key])) for key in self.states[1:])]

    def run(
        self, setting: Setting, *, count: Callable[[int], Any] = int, after: Callable[[int, list[Any], list[Any]], list[Any]] | None = None
    ) -> np.ndarray:
        """theta before and after each step, shape (steps + 1, coordinates).

        ``count(t)`` is the step number that the equations see; ``after(t, new, old)`` may change what is kept after step t.
        """
        now, numbers = self.first(setting.start), tuple(self.values.values())
        out = [now[0]]
        with np.errstate(all="ignore"):
            for number, (gradient, rate) in enumerate(zip(setting.gradients, setting.rates, strict=True), 1):
                try:
                    new = list(self.step(*now, gradient, float(rate), count(number), *numbers))
                except ArithmeticError:  # of Python numbers: 1 / (1 - beta**0)
                    new = [np.full(setting.start.shape, np.nan) for _ in now]
                if after:
                    new = after(number, new, now)
                now = new
                out.append(np.broadcast_to(now[0], setting.start.shape))
        return np.array(out, float)


def deviation(found: np.ndarray, expected: np.ndarray, dtype: str = "float64") -> np.ndarray:
    """|found - expected| over what rounding and the size of the path allow to differ: agreement where it is at most 1.

    The allowance, per coordinate and up to each step: 1e-10 (float64) or 2e-4 (float32) of the largest distance from the start, and the
    rounding of theta itself in every step. NaN agrees with NaN.
    """
    share, unit = (1e-10, 2.3e-16) if dtype == "float64" else (2e-4, 1.2e-7)
    with np.errstate(all="ignore"):
        path = np.maximum.accumulate(np.nan_to_num(np.abs(expected - expected[:1]), posinf=0.0), axis=0)
        size = np.maximum.accumulate(np.nan_to_num(np.abs(expected), posinf=0.0), axis=0)
        steps = np.arange(len(expected))[:, None]
        out = np.abs(found - expected) / (share * path + 4 * unit * steps * size + 1e-300)
    out = np.where((found == expected) | (np.isnan(found) & np.isnan(expected)), 0.0, out)
    return np.where(np.isnan(out), np.inf, out)


def agrees(found: np.ndarray, expected: np.ndarray, dtype: str = "float64") -> bool:
    """Whether two runs are the same to rounding."""
    return bool(np.all(deviation(found, expected, dtype) <= 1))
