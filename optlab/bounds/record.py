"""The record of a bound: what it says, when, how it is known, and how it is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import sympy as sp

from optlab.errors import CheckFailed, InputError
from optlab.statements import Statement
from optlab.symbols import symbol

T = symbol("T")  #: steps taken
gap = symbol("gap")  #: f(theta_0) - f*
distance2 = symbol("distance2")  #: ||theta_0 - theta*||^2
trace = symbol("trace")  #: total variance of the mini-batch gradient (trace of its covariance)

MEANINGS: Mapping[sp.Symbol, str] = {
    T: "steps taken",
    gap: "f(theta_0) - f*",
    distance2: "||theta_0 - theta*||^2",
    trace: "total variance of the mini-batch gradient (trace of its covariance)",
    symbol("mu"): "strong convexity, the smallest curvature",
    symbol("L"): "smoothness, the largest curvature",
    symbol("alpha"): "constant learning rate",
    symbol("beta"): "momentum",
    symbol("a"): "learning rate of the first step, a/sqrt(t + 1)",
    symbol("c"): "numerator of the learning rate c/(t + t0)",
    symbol("t0"): "offset of the learning rate c/(t + t0)",
    symbol("s2"): "variance of the gradient noise along the direction",
}

#: What is bounded, for programs; ``Bound.measures`` says it in words.
QUANTITIES = {
    "loss": "E f(theta_T) - f*",
    "average_of_losses": "the average of E f(theta_t) - f* with the weights of ``average``, hence f at the average too",
    "loss_at_average": "E f - f* at the average of theta_t with the weights of ``average``",
    "steps": "a number of steps",
}

#: Which functions a bound holds for, from narrow to wide.
CLASSES = ("quadratic", "strongly_convex", "convex", "saddle", "nonconvex")


@dataclass(frozen=True)
class Obligation:
    """One step of a proof: an expression that is zero, or that is nonnegative.

    ``where`` writes the symbols in nonnegative ones, so that the conditions of the theorem are built in (alpha = 1/(L + u)
    with u >= 0 says alpha <= 1/L). Nonnegative then means: numerator and denominator have no negative coefficient.

    >>> u = sp.Symbol("u", nonnegative=True)
    >>> Obligation("a square", (u - 1) ** 2 - u**2 + 2 * u - 1).holds(), Obligation("no", u - 1, at_least=True).holds()
    (True, False)
    """

    about: str
    expression: sp.Expr
    at_least: bool = False  #: nonnegative, rather than zero
    where: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)

    def holds(self) -> bool:
        """Whether SymPy verifies it."""
        value = sp.sympify(self.expression).subs(self.where)
        value = sp.factor(sp.cancel(sp.together(value))) if value.is_rational_function() else sp.simplify(value)
        return bool(_nonnegative(value)) if self.at_least else value == 0


def _nonnegative(value: sp.Expr) -> bool:
    """SymPy sees it from the assumptions; or numerator and denominator are polynomials in nonnegative things, without a minus sign."""
    if value.is_nonnegative:
        return True
    if not value.free_symbols:
        return False
    above, below = map(_sign, sp.fraction(value))
    return above is not None and above == below


def _sign(part: sp.Expr) -> int | None:
    """1 or -1 if every coefficient has this sign and every generator is nonnegative."""
    if part.is_number:
        return 1 if part > 0 else -1
    poly = sp.Poly(part)
    signs = {1 if number > 0 else -1 for number in poly.coeffs()}
    return signs.pop() if len(signs) == 1 and all(generator.is_nonnegative for generator in poly.gens) else None


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A bound with explicit constants.

    ``expression`` is in T, mu, L, ``gap`` = f(theta_0) - f*, ``distance2`` = ||theta_0 - theta*||^2, ``trace`` = the total
    variance of the mini-batch gradient, the schedule's parameters, and what ``symbols`` explains.

    Parameters
    ----------
    measures, quantity
        Which quantity is bounded, in words and as one of ``QUANTITIES``.
    functions
        One of ``CLASSES``.
    average
        (weight, first, last) in the schedule's ``t`` (from 0) and T, where a weighted average over theta_first .. theta_last
        is meant.
    rule, tuning, schedule, schedule_values
        The rule it speaks of, with what the theorem fixes: hyper-parameters and the schedule's parameters as expressions in
        the symbols of the bound (a hyper-parameter may change with the rule's step number ``t``, from 1).
    ranges
        Where a parameter that the theorem leaves free may lie: symbol to (low, high).
    tight, attained_by
        True only if an instance attains it with equality for every T (then named).
    status, how, obligations
        ``derived``, ``proved`` or ``stated`` (``optlab.statements.STATUSES``), by which argument, and what SymPy verifies of it.
    explicit
        False if the theorem leaves an absolute constant unsaid (it then stands as a symbol in the expression).
    """

    name: str
    expression: sp.Expr
    measures: str
    quantity: str = "loss"
    functions: str
    assumptions: tuple[str, ...]
    conditions: tuple[sp.Basic, ...] = ()
    rule: str = "sgd"
    tuning: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    schedule: str = "constant"
    schedule_values: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    ranges: Mapping[sp.Symbol, tuple[sp.Expr, sp.Expr]] = field(default_factory=dict)
    average: tuple[sp.Expr, sp.Expr, sp.Expr] | None = None
    symbols: Mapping[sp.Symbol, str] = field(default_factory=dict)
    tight: bool = False
    attained_by: str = ""
    status: str
    how: str
    obligations: tuple[Obligation, ...] = ()
    explicit: bool = True
    reference: str

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES or self.functions not in CLASSES:
            raise InputError(f"bound {self.name}: quantity is one of {', '.join(QUANTITIES)}; functions one of {', '.join(CLASSES)}")
        if self.tight != bool(self.attained_by):
            raise InputError(f"bound {self.name}: a tight bound names what attains it, and only a tight one does")
        if self.status in ("proved", "derived") and not self.obligations:
            raise InputError(f"bound {self.name} is {self.status} without obligations: list what SymPy is to verify, or call it stated")

    @property
    def free_symbols(self) -> tuple[sp.Symbol, ...]:
        """The symbols that need a value, in alphabetical order."""
        found = {s for e in (self.expression, *self.conditions) for s in e.free_symbols}
        return tuple(sorted(found, key=lambda s: str(s.name)))

    def meaning(self, s: sp.Symbol) -> str:
        """What a symbol stands for."""
        return self.symbols.get(s, MEANINGS.get(s, ""))

    def at(self, values: Mapping[str, float]) -> sp.Expr:
        """The bound with numbers for its symbols (T may stay). Raises InputError if a condition does not hold.

        >>> from optlab import bounds
        >>> float(bounds.get("fixed_step_sgd").at({"alpha": 0.5, "mu": 1, "L": 1, "gap": 1, "trace": 0, "T": 2}))
        0.25
        """
        chosen = self._chosen(values)
        for condition in self.conditions:
            if condition.xreplace(chosen) == sp.false:
                raise InputError(f"bound {self.name} does not apply: it needs {condition}, and the values are {dict(values)}")
        return self.expression.xreplace(chosen)

    def value(self, values: Mapping[str, float]) -> float:
        """The bound as a float, compiled once: for many evaluations. Raises InputError if a condition or a value is missing.

        >>> from optlab import bounds
        >>> bounds.get("nesterov_convex").value({"L": 1.0, "distance2": 9.0, "T": 5})
        0.5
        """
        names, formula, applies = _functions(self.expression, self.conditions)
        try:
            numbers = [values[name] for name in names]
        except KeyError as error:
            raise InputError(f"bound {self.name} needs a value for {error.args[0]}: give one of each of {', '.join(names)}") from None
        if not applies(*numbers):
            raise InputError(f"bound {self.name} does not apply: it needs {' and '.join(map(str, self.conditions))}, not {dict(values)}")
        return float(formula(*numbers))

    def _chosen(self, values: Mapping[str, float]) -> dict[sp.Symbol, sp.Expr]:
        known = {s.name: s for s in self.free_symbols}
        known |= {s.name: s for e in (*self.tuning.values(), *self.schedule_values.values()) for s in e.free_symbols}
        return {
            known[name]: sp.Float(value) if isinstance(value, float) else sp.sympify(value)
            for name, value in values.items()
            if name in known
        }

    def schedule_at(self, values: Mapping[str, float]) -> dict[str, sp.Expr]:
        """The schedule's parameters as the theorem fixes them (a free parameter keeps the value that is given).

        >>> from optlab import bounds
        >>> bounds.get("averaged_strongly_convex_sgd").schedule_at({"mu": 0.5})
        {'c': 4.00000000000000, 't0': 2}
        """
        chosen = self._chosen(values)
        free = {s.name: chosen[s] for s in self.ranges if s in chosen and s not in self.tuning}
        return free | {s.name: e.xreplace(chosen) for s, e in self.schedule_values.items()}

    def tuning_at(self, values: Mapping[str, float]) -> dict[str, sp.Expr]:
        """The rule's hyper-parameters as the theorem fixes them."""
        return {s.name: e.xreplace(self._chosen(values)) for s, e in self.tuning.items()}

    def statement(self) -> Statement:
        """What is said and how it is known, as the other analyses say it."""
        return Statement(
            name=self.name, about=f"an upper bound on {self.measures}", expression=self.expression, status=self.status, how=self.how,
            symbols={s: self.meaning(s) for s in self.free_symbols if self.meaning(s)}, conditions=self.conditions,
            assumptions=self.assumptions, reference=self.reference,
        )  # fmt: skip

    def check_proof(self) -> int:
        """Let SymPy verify every obligation; how many there are. Raises CheckFailed naming the first that fails."""
        return _check(self.name, self.obligations)


@lru_cache(maxsize=64)
def _functions(expression: sp.Expr, conditions: tuple[sp.Basic, ...]) -> tuple[tuple[str, ...], Callable[..., float], Callable[..., bool]]:
    """The names of the symbols, and the formula and its conditions as functions of numbers for them."""
    found = sorted({s for e in (expression, *conditions) for s in e.free_symbols}, key=lambda s: str(s.name))
    formula, applies = (sp.lambdify(found, e, "math") for e in (expression, sp.And(*conditions)))
    return tuple(s.name for s in found), formula, applies


def _check(name: str, obligations: tuple[Obligation, ...]) -> int:
    for obligation in obligations:
        if not _holds(obligation.about, obligation.expression, obligation.at_least, tuple(obligation.where.items())):
            what = "nonnegative" if obligation.at_least else "zero"
            raise CheckFailed(f"bound {name}: its proof has a gap: {obligation.about}: {obligation.expression} is not seen to be {what}")
    return len(obligations)


@lru_cache(maxsize=512)
def _holds(about: str, expression: sp.Expr, at_least: bool, where: tuple[tuple[sp.Symbol, sp.Expr], ...]) -> bool:
    return Obligation(about, expression, at_least, dict(where)).holds()
