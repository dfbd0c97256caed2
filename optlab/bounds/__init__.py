"""Convergence bounds as records: the expression, what it assumes, where it is proved. ``names()`` lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import sympy as sp

from optlab.errors import InputError, UnknownNameError
from optlab.symbols import symbol

T = symbol("T")  #: steps taken
gap = sp.Symbol("gap", nonnegative=True)  #: f(theta_0) - f*
distance2 = sp.Symbol("distance2", nonnegative=True)  #: ||theta_0 - theta*||^2
trace = sp.Symbol("trace", nonnegative=True)  #: total variance of the mini-batch gradient (trace of its covariance)


@dataclass(frozen=True)
class Bound:
    """An upper bound on the expected excess loss after T steps.

    ``expression`` is in T, mu, L, ``gap`` = f(theta_0) - f*, ``distance2`` = ||theta_0 - theta*||^2, ``trace`` = the total
    variance of the mini-batch gradient, and the schedule's parameters.
    """

    name: str
    expression: sp.Expr
    measures: str  #: which quantity is bounded
    assumptions: tuple[str, ...]
    conditions: tuple[sp.Basic, ...]  #: relations that must hold between the symbols
    schedule: str
    tight: bool
    reference: str

    def at(self, values: Mapping[str, float]) -> sp.Expr:
        """The bound with numbers for its symbols (T may stay). Raises InputError if a condition does not hold.

        >>> float(get("fixed_step_sgd").at({"alpha": 0.5, "mu": 1, "L": 1, "gap": 1, "trace": 0, "T": 2}))
        0.25
        """
        known = {s.name: s for s in self.expression.free_symbols.union(*(c.free_symbols for c in self.conditions))}
        chosen = {
            known[name]: sp.Float(value) if isinstance(value, float) else sp.sympify(value)
            for name, value in values.items()
            if name in known
        }
        for condition in self.conditions:
            if condition.subs(chosen) == sp.false:
                raise InputError(f"bound {self.name} does not apply: it needs {condition}, and the values are {dict(values)}")
        return self.expression.subs(chosen)


_NAMES = ("fixed_step_sgd", "strongly_convex_sgd", "convex_sgd")


def names() -> list[str]:
    """The bounds that ``get`` knows."""
    return list(_NAMES)


def get(name: str) -> Bound:
    """The bound of this name. Raises UnknownNameError."""
    if name not in _NAMES:
        raise UnknownNameError("bound", name, _NAMES)
    found: Any = import_module(f"optlab.bounds.{name}").BOUND
    return found
