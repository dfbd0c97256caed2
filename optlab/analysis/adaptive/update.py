"""One step of a rule as composed expressions, and what it settles to: the common ground of the adaptive statements."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import sympy as sp

from optlab.errors import UnsupportedError
from optlab.expressions import Equations, Rule
from optlab.symbols import g, t


def compose(equations: Equations, start: Mapping[sp.Symbol, sp.Expr] | None = None) -> dict[sp.Symbol, sp.Expr]:
    """The value of every left side after one step, as expressions in what stood before it (``start`` gives those known).

    >>> from optlab import rules
    >>> from optlab.symbols import theta
    >>> compose(rules.get("momentum").equations)[theta]
    -alpha*g + beta*v + theta
    """
    now: dict[sp.Symbol, sp.Expr] = dict(start or {})
    for left, right in equations:
        now[left] = right.xreplace(now)
    return now


def free(rule: Rule, name: str) -> Rule:
    """The rule with one hyper-parameter a symbol again, the others bound as they were."""
    return rule.unbound().with_(**{str(key): value for key, value in rule.bound.items() if key.name != name})


def parameter(rule: Rule, name: str) -> sp.Symbol | None:
    """The rule's hyper-parameter of this name."""
    return next((key for key in rule.parameters if key.name == name), None)


def defaults(rule: Rule, expression: sp.Expr) -> sp.Expr:
    """The expression at the rule's own numbers (alpha, lam, eps and what else is no setting stay symbols)."""
    return expression.subs({key: value for key, value in rule.values.items() if key.name != "eps"})


@lru_cache(maxsize=256)
def settled(rule: Rule) -> Equations:
    """The equations that the rule settles to as t grows: powers b**t gone, numbers shared by all coordinates at rest.

    Raises UnsupportedError where a shared number does not come to rest.
    """
    pairs = [(left, _late(right, rule)) for left, right in rule.equations]
    now = compose(tuple(pairs))
    at_rest: dict[sp.Symbol, sp.Expr] = {}
    for state in rule.scalar_states:
        new = _late(sp.expand(now[state].xreplace(at_rest)), rule)
        slope = sp.diff(new, state)
        if slope.has(state, t) or slope == 1:
            raise UnsupportedError(f"rule {rule.name}: its number {state}, {new} after a step, does not come to rest")
        at_rest[state] = sp.cancel(new.xreplace({state: sp.Integer(0)}) / (1 - slope))
    return tuple((left, _late(right.xreplace(at_rest), rule)) for left, right in pairs if left not in at_rest)


def _late(expression: sp.Expr, rule: Rule) -> sp.Expr:
    def fades(power: sp.Expr) -> bool:
        if not isinstance(power, sp.Pow) or not power.exp.has(t) or power.base.has(t):
            return False
        base, speed = power.base, sp.diff(power.exp, t)
        if base.is_number and bool(abs(base) > 1):  # (1/10)**t is 10**(-t)
            return speed.is_negative is True
        short = (base.is_number and bool(abs(base) < 1)) or (base in rule.parameters and rule.parameters[base].domain.sup == 1)
        return short and speed.is_positive is not False

    expression = expression.replace(lambda e: isinstance(e, sp.Eq) and t in e.free_symbols, lambda e: sp.false)
    return sp.piecewise_fold(expression.replace(fades, lambda e: sp.Integer(0)))


def tidy(expression: sp.Expr) -> sp.Expr:
    """A fraction in lowest terms with its factors apart, each positive where its symbols are small: 1 - beta, not -(beta - 1)."""
    sign, factors = 1, []
    for factor in sp.Mul.make_args(sp.factor(sp.together(expression))):
        base, exponent = factor.as_base_exp()
        if base.is_Add and exponent.is_integer and base.xreplace(dict.fromkeys(base.free_symbols, sp.Rational(1, 10))).is_negative:
            sign, factor = sign * (-1) ** abs(int(exponent)), sp.Pow(sp.expand(-base), exponent)
        factors.append(factor)
    return sp.Mul(sign, *factors)


def by_sign(expression: sp.Expr) -> sp.Expr:
    """An expression in g as its even part in Abs(g) plus its odd part times sign(g): g/Abs(g) becomes sign(g)."""
    size = sp.Dummy("size", positive=True)
    up, down = (expression.xreplace({g: sign * size}) for sign in (1, -1))
    even, odd = tidy((up + down) / 2), tidy((up - down) / 2)
    return even.xreplace({size: sp.Abs(g)}) + odd.xreplace({size: sp.Abs(g)}) * sp.sign(g)


def is_affine(expression: sp.Expr, variables: tuple[sp.Symbol, ...]) -> bool:
    """Whether the expression is of first degree in these variables together.

    >>> from optlab.symbols import theta
    >>> is_affine(3 * theta + g, (theta, g)), is_affine(theta * g, (theta, g))
    (True, False)
    """
    return not any(sp.diff(expression, v).has(*variables) for v in variables if v in expression.free_symbols)
