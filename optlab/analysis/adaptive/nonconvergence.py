"""Reddi, Kale and Kumar's example: a convex problem that Adam solves with the worst point there is.

The losses on [-1, 1] are C x at steps 1, 4, 7, ... and -x at the others, C > 2, so that -1 is best. Without momentum and bias
correction, with beta2 = 1/(1 + C^2), each period moves x up as far as the bounds let it.
"""

from __future__ import annotations

import sympy as sp

from optlab.analysis.adaptive.positivity import nonnegative
from optlab.analysis.adaptive.update import compose, parameter, settled
from optlab.analysis.fractions import lowest
from optlab.errors import UnsupportedError
from optlab.expressions import Rule
from optlab.statements import Statement
from optlab.symbols import alpha, g, symbol, theta

C = symbol("C")
REDDI = "Reddi, Kale & Kumar, On the convergence of Adam and beyond, ICLR 2018, Theorem 1"


def one_period(rule: Rule, height: sp.Expr) -> tuple[sp.Expr, ...]:
    """What theta is moved by in the three steps with gradients ``height``, -1, -1, from any states (each a symbol >= 0).

    The memory of the gradient is put to 0, that of its square to 1/(1 + height^2), eps and weight decay to 0; t is large.
    """
    settings: dict[sp.Symbol, sp.Expr] = {}
    for name, value in (("beta1", 0), ("eps", 0), ("wd", 0), ("beta2", 1 / (1 + height**2)), ("beta", 1 / (1 + height**2))):
        key = parameter(rule, name)
        if key is not None and key not in rule.bound:
            settings[key] = sp.sympify(value)
    equations = tuple((left, right.xreplace(settings)) for left, right in settled(rule))
    states: dict[sp.Symbol, sp.Expr] = {s: sp.Dummy(str(s), nonnegative=True) for s, _ in equations if s in rule.state}
    moves = []
    for gradient in (height, -sp.Integer(1), -sp.Integer(1)):
        now = compose(equations, {**states, g: gradient, theta: sp.Integer(0)})
        states = {s: _lowest(now[s]) for s in states}
        moves.append(now[theta])
    return tuple(moves)


def nonconvergence_statements(rule: Rule) -> tuple[tuple[Statement, ...], dict[str, str]]:
    """Which end of [-1, 1] the rule comes to, with the inequality that each period obeys, and the regret."""
    extra = sp.Dummy("extra", positive=True)
    height = 2 + extra
    moves = one_period(rule, height)
    scales = [_scale(gradient, move) for gradient, move in zip((height, -1, -1), moves, strict=True)]
    if any(s is None for s in scales):
        raise UnsupportedError(f"rule {rule.name}: its steps in Reddi's example are not the gradient over a scale")
    (down, power), (first, _), (second, _) = scales  # type: ignore[misc]
    if all(nonnegative(3**power * down - 2**power * height**power * up, {}) for up in (first, second)):
        end, proof = (
            sp.Integer(1),
            "each step up is at least 2/3 of the step down, so a period gains a third of it: 3 scale1 >= 2 C scale, term by term",
        )
    elif nonnegative(first - down, {}) and nonnegative(second - first, {}):
        end, proof = sp.Integer(-1), "the scale does not fall, so two steps up are at most 2/C of the step down, term by term"
    else:
        raise UnsupportedError(f"rule {rule.name}: neither direction of Reddi's example is proved for it")
    conditions = (sp.Gt(C, 2),)
    assumptions = ("beta1 = 0, beta2 = 1/(1 + C^2), eps = 0, no bias correction, constant alpha, small against 1", "x is kept in [-1, 1]")
    regret = sp.Rational(2, 3) * C - sp.Rational(4, 3) if end == 1 else sp.Integer(0)
    meaning = {C: "the slope of every third loss; the other two have slope -1"}
    out = [
        Statement(
            name="reddi_end", about="the point of [-1, 1] that the periods move x to (-1 is the best, 1 the worst)", expression=end,
            status="proved", symbols=meaning, conditions=conditions, assumptions=assumptions, how=proof, reference=REDDI,
        )
    ]  # fmt: skip
    if end == 1:
        out.append(
            Statement(
                name="reddi_regret", about="a lower bound of the average regret per step against -1, once x starts its periods at 1",
                expression=regret, status="proved", symbols=meaning, conditions=conditions, assumptions=assumptions, reference=REDDI,
                how="a period from x = 1 costs C - x2 - x3 >= C - 2, one at -1 costs 2 - C",
            )
        )  # fmt: skip
    return tuple(out), {}


def _scale(gradient: sp.Expr, move: sp.Expr) -> tuple[sp.Expr, int] | None:
    """(scale, 1) where the move is -alpha gradient / scale, or (its square, 2) where it is a root; None if it is no such move."""
    if move.has(sp.zoo, sp.nan) or move == 0:
        return None
    scale = -alpha * gradient / move
    root = any(abs(e.exp) == sp.Rational(1, 2) for e in scale.atoms(sp.Pow))
    value = _lowest(scale**2 if root else scale)
    return None if value.has(alpha, theta) else (value, 2 if root else 1)


def _lowest(expression: sp.Expr) -> sp.Expr:
    """A fraction, or each argument of a Max, in lowest terms."""
    if expression.is_rational_function():
        return lowest(expression)
    return expression.replace(sp.Max, lambda *arguments: sp.Max(*(lowest(a) for a in arguments)))
