"""Reddi, Kale and Kumar's example: a convex problem that Adam solves with the worst point there is.

The losses on [-1, 1] are C x at steps 1, 4, 7, ... and -x at the others, C > 2, so that -1 is best. Without momentum and bias
correction, with beta2 = 1/(1 + C^2), a period of three steps, each -alpha g / scale, is one step down and two steps up.

Adam: each step up is at least 2/3 of the step down, so two of them make up for it and 1/3 more. A rule whose scale never falls:
each step up is at most 1/C of the step down. These inequalities hold for all C > 2 and all states >= 0, and SymPy verifies them
term by term, and that the scale stays small enough for the steps to add up to more than the length of the interval. What
follows is argued: a period whose steps up meet the end 1 stays there; one whose step down meets -1 ends within 2/C of a step of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from optlab.analysis.adaptive.frozen import freeze
from optlab.analysis.adaptive.positivity import nonnegative
from optlab.analysis.adaptive.update import compose, parameter, settled
from optlab.analysis.fractions import lowest
from optlab.errors import UnsupportedError
from optlab.expressions import Equations, Rule
from optlab.statements import Statement
from optlab.symbols import alpha, g, symbol, theta

C = symbol("C")
REDDI = "Reddi, Kale & Kumar, On the convergence of Adam and beyond, ICLR 2018, Theorem 1"


def example(rule: Rule, memory: sp.Expr) -> Equations:
    """The rule's late equations with no memory of the gradient, ``memory`` for that of its square, eps and weight decay 0."""
    settings: dict[sp.Symbol, sp.Expr] = {}
    for name, value in (("beta1", 0), ("eps", 0), ("wd", 0), ("beta2", memory), ("beta", memory)):
        key = parameter(rule, name)
        if key is not None and key not in rule.bound:
            settings[key] = sp.sympify(value)
    return tuple((left, right.xreplace(settings)) for left, right in settled(rule))


def steps(equations: Equations, rule: Rule, gradients: tuple[sp.Expr, ...]) -> tuple[sp.Expr, ...]:
    """What theta is moved by in each of the steps with these gradients, from any states (each a symbol >= 0)."""
    states: dict[sp.Symbol, sp.Expr] = {s: sp.Dummy(str(s), nonnegative=True) for s, _ in equations if s in rule.state}
    moves = []
    for gradient in gradients:
        now = compose(equations, {**states, g: gradient, theta: sp.Integer(0)})
        states = {s: _lowest(now[s]) for s in states}
        moves.append(now[theta])
    return tuple(moves)


def nonconvergence_statements(rule: Rule) -> tuple[tuple[Statement, ...], dict[str, str]]:
    """Which end of [-1, 1] the rule comes to, with the inequality that each period obeys, and the regret."""
    height = sp.Dummy("C", positive=True)
    above = {height: 2 + sp.Dummy("extra", positive=True)}
    gradients = (height, -sp.Integer(1), -sp.Integer(1))
    rising = freeze(rule).never_falls
    moves = steps(example(rule, 1 / (1 + height**2)), rule, gradients[:1] if rising else gradients)
    scales = [found for gradient, move in zip(gradients, moves, strict=False) if (found := _scale(gradient, move)) is not None]
    if len(scales) < len(moves):
        raise UnsupportedError(f"rule {rule.name}: its steps in Reddi's example are not the gradient over a scale")
    (down, power), *others = scales
    size = {1: "the scale", 2: "the square of the scale"}[power]
    if rising:
        end, proof = sp.Integer(-1), "verified: the scale does not fall, so each step up is at most 1/C of the step down"
    elif all(nonnegative(3**power * down - 2**power * height**power * up, above) for up, _ in others):
        end, proof = sp.Integer(1), "verified: 3 scale1 >= 2 C scale for both steps up, each at least 2/3 of the step down"
    else:
        raise UnsupportedError(f"rule {rule.name}: neither direction of Reddi's example is proved for it")
    growth = _growth(rule, power, down, above)
    if growth is None:
        raise UnsupportedError(f"rule {rule.name}: its scale in Reddi's example is not proved to stay small enough for its steps to add up")
    proof += f"; {size} {growth}; argued from these: the periods gain distance until x meets that end, and stay there"
    conditions = (sp.Gt(C, 2),)
    assumptions = ("beta1 = 0, beta2 = 1/(1 + C^2), eps = 0, no bias correction, constant alpha, small against 1", "x is kept in [-1, 1]")
    meaning = {C: "the slope of every third loss; the other two have slope -1"}
    out = [
        Statement(
            name="reddi_end", about="the point of [-1, 1] that the periods move x to (-1 is the best, 1 the worst)", expression=end,
            status="proved", symbols=meaning, conditions=conditions, assumptions=assumptions, how=proof, reference=REDDI,
        )
    ]  # fmt: skip
    if end == 1:
        cost = C * theta - theta - theta
        regret = sp.expand((cost.xreplace({theta: end}) - cost.xreplace({theta: -end})) / 3)
        out.append(
            Statement(
                name="reddi_regret", about="a lower bound of the average regret per step against -1, once x starts its periods at 1",
                expression=regret, status="proved", symbols=meaning, conditions=conditions, assumptions=assumptions, reference=REDDI,
                how="argued: a period from x = 1 costs C - x2 - x3, least at x2 = x3 = 1; a third of that less the cost at -1, computed",
            )
        )  # fmt: skip
    return tuple(out), {}


def _growth(rule: Rule, power: int, down: sp.Expr, above: Mapping[sp.Symbol, sp.Expr]) -> str | None:
    """Why steps over this scale (``down`` is its ``power`` in the step down) add up to any length; None if it is not proved.

    Every memory of the square is allowed, and every C >= 1.
    """
    (height,) = above
    names = {s.name for s in down.free_symbols - {height}}
    memory, more = (sp.Dummy(name, nonnegative=True) for name in ("memory", "more"))
    equations, bound = example(rule, memory / (1 + memory)), (1 + more) ** power
    states = [s for s, _ in equations if s in rule.state and s.name in names]
    if not states:
        return "is C" if down == height**power else None

    def after(before: Mapping[sp.Symbol, sp.Expr]) -> list[dict[sp.Symbol, sp.Expr]]:
        return [compose(equations, {**before, g: gradient, theta: sp.Integer(0)}) for gradient in (1 + more, -sp.Integer(1))]

    free = {s: sp.Dummy(s.name, nonnegative=True) for s in states}
    part = {s: bound * free[s] / (1 + free[s]) for s in states}  # every point of [0, bound)
    if all(nonnegative(bound - now[s], {}) for now in after(part) for s in states):
        return "stays at most C" + f"^{power}" * (power > 1)
    if len(states) == 1 and all(nonnegative(bound - (now[s] - free[s]), {}) for now in after(free) for s in states):
        return f"grows by at most C^{power} a step, and the sum of t^(-1/{power}) diverges"
    return None


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
