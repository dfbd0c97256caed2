"""Weights that a normalization makes scale-invariant, under weight decay: the norm and the rate of turning that they settle to.

For such weights the loss depends on w/||w|| only, so the gradient is orthogonal to w (Euler's identity) and is g~/||w||, with g~ the
gradient at norm 1. Gradients push the norm up, decay pulls it down. G = E ||g~||^2, d weights, n = ||w||^2. Per coordinate this is
the rule on a flat direction (lam = 0) with white gradients of variance s2 = G/(n d), whose variance theta^2 is n/d.
"""

from __future__ import annotations

import sympy as sp

from optlab import rules
from optlab.analysis.adaptive.frozen import ROOT, freeze
from optlab.analysis.adaptive.stationary import mean_square
from optlab.analysis.adaptive.update import parameter, tidy
from optlab.analysis.linear import is_linear
from optlab.analysis.mode import flat
from optlab.errors import UnsupportedError
from optlab.expressions import Parameter, Rule
from optlab.statements import Statement
from optlab.symbols import alpha, g, s2, symbol, theta

G, d = symbol("G"), symbol("d")
KOSSON = "Kosson, Messmer & Jaggi, Rotational equilibrium: how weight decay balances learning across neural networks, ICML 2024"
ASSUMPTIONS = (
    "the gradient is orthogonal to the weights",
    "gradients of different steps are uncorrelated",
    "the scale stands at its mean",
    "eps = 0",
)
MEANING = {symbol("wd"): "the weight decay", G: "E ||gradient at ||w|| = 1||^2", d: "the number of weights that are normalized together"}


def scale_invariant(rule: Rule | str) -> tuple[tuple[Statement, ...], dict[str, str]]:
    """The equilibrium of scale-invariant weights under this rule, linear or adaptive; an L2 penalty where it has no decay of its own.

    >>> [s.expression for s in scale_invariant("adamw")[0]][:1]
    [sqrt(2)*sqrt(alpha)*sqrt(d)/(2*sqrt(wd))]
    """
    rule = rules.get(rule)
    linear = is_linear(rule)
    if not linear:
        mean_square(freeze(rule))  # refuses, before the penalty makes it longer
    if parameter(rule, "wd") is None:
        rule = _penalized(rule)
    wd = parameter(rule, "wd")
    unit = sp.Dummy("s", positive=True)  # the standard deviation of the gradient
    decay = sp.Dummy("wd", positive=True)
    if linear:
        mode, fixed = flat(rule), {s2: unit**2}
    else:
        f = freeze(rule)
        eps, factor = parameter(rule, "eps"), mean_square(f).noise
        mode, fixed = flat(f.rule_by_root), {s2: unit**2, ROOT: sp.sqrt(factor) * unit} | ({eps: sp.Integer(0)} if eps is not None else {})
    variance = tidy(mode.stationary_variance.xreplace(fixed).xreplace({wd: decay}))
    first = sp.cancel(variance / alpha).xreplace({alpha: sp.Integer(0)})
    power = sp.cancel(sp.diff(sp.log(first), unit) * unit) / 2
    if not power.is_number or first.has(sp.zoo, sp.nan):
        raise UnsupportedError(f"rule {rule.name}: its variance on a flat direction, {variance}, is not a power of the gradient's")
    K = sp.cancel(first / unit ** (2 * power))
    square = tidy(alpha * K * G**power * d ** (1 - power)) ** (1 / (1 + power))
    positive = {s: sp.Dummy(s.name, positive=True) for s in (G, d)}
    back = {p: s for s, p in positive.items()} | {decay: wd}
    norm = sp.sqrt(square.xreplace(positive)).xreplace(back)
    rate = _decay_rate(mode.form.A).xreplace(fixed).xreplace({wd: decay}).xreplace({unit: sp.sqrt(G / (square * d))}).xreplace(positive)
    turning = sp.sqrt(sp.powdenest(2 * alpha * rate, force=True)).xreplace(back)
    out = [
        Statement(
            name="equilibrium_norm", about="the norm that scale-invariant weights settle to, to first order in alpha", expression=norm,
            status="derived", symbols=MEANING, assumptions=ASSUMPTIONS, reference=KOSSON,
            how="stationary variance of the frozen rule at lam = 0 and s2 = G/(n d), put equal to n/d",
        ),
        Statement(
            name="equilibrium_square", about="the mean square of one weight where its gradient has variance s2, exact in alpha",
            expression=variance.xreplace({unit: sp.sqrt(s2)}).xreplace(back),
            status="derived", symbols=MEANING, assumptions=ASSUMPTIONS, reference=KOSSON,
            how="stationary variance of the frozen rule at lam = 0",
        ),
    ]  # fmt: skip
    out.append(
        Statement(
            name="equilibrium_turning", about="the angle that a step's gradients turn the weights by, in radians, to first order in alpha",
            expression=turning, status="derived", symbols=MEANING, assumptions=ASSUMPTIONS, reference=KOSSON,
            how="decay takes 2 alpha rate of ||w||^2 in a step, so what the gradients add, at a right angle, is that much",
        )
    )  # fmt: skip
    return tuple(out), {}


def _decay_rate(A: sp.Matrix) -> sp.Expr:
    """The share of theta that a step without gradient takes away, over alpha, as alpha goes to 0 (the other states follow theta)."""
    k = A.shape[0]
    follow = (sp.eye(k - 1) - A[1:, 1:]).LUsolve(A[1:, :1]) if k > 1 else sp.zeros(0, 1)
    drift = A[0, 0] - 1 + ((A[:1, 1:] * follow)[0] if k > 1 else 0)
    return tidy(tidy(-drift / alpha).xreplace({alpha: sp.Integer(0)}))


def _penalized(rule: Rule) -> Rule:
    wd = symbol("wd")
    penalty = {g: g + wd * theta}
    variants = {
        variant: {
            option: {key: sp.sympify(value).xreplace(penalty) for key, value in meaning.items()} for option, meaning in options.items()
        }
        for variant, options in rule.variants.items()
    }
    return rule.extend(
        name=f"{rule.name}_l2",
        parameters={**rule.parameters, wd: Parameter("1/100", within="[0, oo)", about="L2 penalty")},
        equations=tuple((left, right.xreplace(penalty)) for left, right in rule.definition),
        variants=variants,
        bound=rule.bound, chosen=rule.chosen,
    )  # fmt: skip
