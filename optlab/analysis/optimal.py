"""The record of a minimax tuning, and what was verified of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from optlab.errors import InputError
from optlab.expressions import Rule, exact
from optlab.symbols import symbol

kappa = symbol("kappa")
REFERENCE = 100  #: the condition number at which active inequalities are named where kappa is a symbol

STATUSES = {
    "closed form": "exact, in rationals and roots",
    "algebraic": "exact: roots of the polynomials given, isolated by the intervals given",
    "numeric": "found by search to double precision; the exact system was not solved",
    "not attained": "rates improve without end toward the open end of a range: there is no best tuning",
    "not unique": "a family of tunings attains the best rate; two of them are given",
    "none": "no tuning contracts at every curvature of [mu, L]",
}


@dataclass(frozen=True)
class Certificate:
    """What was verified of a tuning. ``holds`` is the verdict."""

    exact: bool  #: the equations hold by algebra
    multipliers: dict[str, float]  #: of the active inequalities, at the reference condition number
    remainder: float  #: |sum m_j grad c_j - grad r| with m >= 0, the largest over ``condition_numbers``
    violation: float  #: the most negative inequality, relative to its gradient
    condition_numbers: tuple[float, ...]  #: where multipliers and grid were checked
    grid: int  #: points along each axis of the grid
    gap: float  #: the least (best rate on the grid - rate) / (1 - rate): negative if the grid found something better

    @property
    def holds(self) -> bool:
        """Whether everything was as it must be at an optimum."""
        return self.exact and self.remainder < 1e-7 and self.violation > -1e-9 and self.gap > -1e-9


@dataclass(frozen=True)
class Optimal:
    """The minimax tuning of a linear rule. Hyper-parameters are attributes by name: ``.beta``."""

    rule: Rule
    status: str  #: one of ``STATUSES``
    mu: sp.Expr
    L: sp.Expr
    alpha: sp.Expr | None = None
    parameters: Mapping[str, sp.Expr] = field(default_factory=dict)
    rate: sp.Expr | None = None  #: the factor by which the worst mode's error shrinks per step
    equations: tuple[sp.Eq, ...] = ()  #: what makes it optimal, in alpha, the hyper-parameters, r, mu, L
    active: tuple[str, ...] = ()  #: the inequalities that are met with equality
    polynomials: Mapping[str, sp.Expr] = field(default_factory=dict)  #: the minimal polynomial of each quantity, where it is no closed form
    intervals: Mapping[str, tuple[sp.Rational, sp.Rational]] = field(default_factory=dict)  #: isolating intervals of their roots
    certificate: Certificate | None = None
    witnesses: tuple[Mapping[str, float], ...] = ()  #: numeric tunings (at kappa = REFERENCE for symbols): the best, or two of a family
    reason: str = ""

    def __getattr__(self, name: str) -> sp.Expr:
        parameters = object.__getattribute__(self, "parameters")
        if name in parameters:
            found: sp.Expr = parameters[name]
            return found
        raise AttributeError(f"the tuning of {self.rule.label()} has no {name!r}: it has alpha, rate, {', '.join(parameters)}")

    def at(self, mu: float, L: float) -> dict[str, float]:
        """alpha, the hyper-parameters and the rate as numbers for one spectrum (closed forms in mu and L only)."""
        names = {"alpha": self.alpha, **self.parameters, "rate": self.rate}
        given = {symbol("mu"): sp.Rational(str(mu)), symbol("L"): sp.Rational(str(L))}
        given[kappa] = given[symbol("L")] / given[symbol("mu")]
        return {name: float(sp.N(value.xreplace(given), 30)) for name, value in names.items() if value is not None}

    def items(self) -> dict[str, sp.Basic]:
        """alpha, hyper-parameters and rate by name, where they are known."""
        out = {"alpha": self.alpha, **self.parameters, "rate": self.rate}
        return {name: value for name, value in out.items() if value is not None}


def read_spectrum(low: object, high: object, condition_number: object) -> tuple[sp.Rational, sp.Rational] | None:
    """(mu, L) as exact numbers from either way of giving them; None for symbols. Raises InputError unless 0 < mu <= L."""
    if condition_number is not None:
        if low is not None or high is not None:
            raise InputError("give either mu and L, or condition_number; not both")
        if exact(condition_number, "condition_number") < 1:
            raise InputError(f"condition_number = {condition_number} must be at least 1: it is L/mu")
        low, high = 1, condition_number
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise InputError("give both mu and L, or neither")
    pair = exact(low, "mu"), exact(high, "L")
    if not (0 < pair[0] <= pair[1]):
        raise InputError(f"mu = {low}, L = {high}: tuning needs 0 < mu <= L")
    if not all(isinstance(value, sp.Rational) for value in pair):
        raise InputError(f"mu = {low}, L = {high}: tuning needs rational numbers, such as 0.01 or '1/100'")
    return pair


def pack(tuned: Optimal) -> dict[str, Any]:
    """As plain values and expressions, to be kept on disk."""
    fields = {name: getattr(tuned, name) for name in tuned.__dataclass_fields__ if name not in ("rule", "certificate")}
    certificate = tuned.certificate
    fields["certificate"] = None if certificate is None else dict(vars(certificate))
    return fields


def unpack(rule: Rule, fields: Mapping[str, Any]) -> Optimal:
    """The record of what :func:`pack` gave."""
    certificate = fields["certificate"]
    return Optimal(**({**fields, "rule": rule, "certificate": None if certificate is None else Certificate(**certificate)}))
