"""Where weight decay leaves an adaptive rule on lam/2 (theta - c)^2: decoupled decay bounds theta, an L2 penalty shrinks it."""

from __future__ import annotations

import sympy as sp

from optlab.analysis.adaptive.constant import at_rest, displacement
from optlab.analysis.adaptive.update import by_sign, free, parameter, settled, tidy
from optlab.analysis.fractions import sign_by_terms
from optlab.errors import UnsupportedError
from optlab.expressions import Rule
from optlab.statements import Statement
from optlab.symbols import alpha, g, lam, symbol, theta

c = symbol("c")
XIE = "Xie & Li, Implicit bias of AdamW: l-infinity norm constrained optimization, ICML 2024"


def weight_decay_statements(rule: Rule) -> tuple[tuple[Statement, ...], dict[str, str]]:
    """The fixed point, and for decoupled decay its bound, its uniqueness and its limit as eps goes to 0."""
    wd = parameter(rule, "wd")
    if wd is None or wd in rule.bound:
        return (), {"fixed_point": f"rule {rule.name} has no weight decay wd of its own (or it is bound)"}
    rule = free(rule, "eps")
    eps = parameter(rule, "eps")
    rest = sp.cancel(sp.together((displacement(rule, at_rest(rule), settled(rule)) - theta) / -alpha))
    gradient = lam * (theta - c)
    decay = rest.xreplace({g: sp.Integer(0)})
    push = sp.cancel(rest - decay)
    meaning = {c: "the minimum of lam/2 (theta - c)^2"}
    if push.has(theta):
        numerators = [p for p, _ in sp.factor_list(sp.numer(sp.together(rest)))[1] if p.has(theta) and p.is_polynomial(theta, g)]
        if len(numerators) != 1 or sp.degree(numerators[0], theta) != 1:
            raise UnsupportedError(f"rule {rule.name}: its fixed point under weight decay, {rest} = 0, is not solved")
        at = sp.Poly(numerators[0].xreplace({g: gradient}), theta)
        return (
            Statement(
                name="fixed_point", about="where theta rests on lam/2 (theta - c)^2: the minimum of the loss with the penalty wd/2 theta^2",
                expression=tidy(-at.coeff_monomial(1) / at.coeff_monomial(theta)), status="derived", symbols=meaning,
                how="the states at rest, the step put to 0",
            ),
        ), {}  # fmt: skip
    if tidy(decay - wd * theta) != 0:
        raise UnsupportedError(f"rule {rule.name}: without a gradient its step is {decay}, not wd theta")
    size = sp.Dummy("size", positive=True)
    share = push.xreplace({g: size})
    if sign_by_terms(1 - share**2) != 1:
        raise UnsupportedError(f"rule {rule.name}: its step {push} is not proved to be at most 1 for every gradient")
    sharp = by_sign(push.xreplace({eps: sp.Integer(0)}) if eps is not None else push)
    out = [
        Statement(
            name="fixed_point", about="where theta rests on lam/2 (theta - c)^2",
            expression=sp.Eq(wd * theta, -push.xreplace({g: gradient})),
            status="derived", symbols=meaning, how="the states at rest, the step put to 0", reference=XIE,
        ),
        Statement(
            name="fixed_point_bound", about="every fixed point, whatever the loss, obeys this", expression=sp.Le(sp.Abs(theta), 1 / wd),
            status="proved", how=f"wd theta = -u with u = {push}, and 1 - u^2 >= 0 by its terms", reference=XIE, conditions=(sp.Gt(wd, 0),),
        ),
    ]  # fmt: skip
    rises = sign_by_terms(sp.diff(share**2, size)) == 1 and share.xreplace({size: sp.Integer(1)}).is_positive
    if sharp == sp.sign(g) and rises and _changes_sign_at_the_cut():
        out.append(
            Statement(
                name="fixed_point_large", about="where theta rests as eps goes to 0: c, cut off at 1/wd, whatever lam is",
                expression=sp.Max(-1 / wd, sp.Min(1 / wd, c)), status="proved", symbols=meaning, reference=XIE, conditions=(sp.Gt(wd, 0),),
                how="wd theta + u rises with theta (u does: by its derivative's terms), so its zero goes where its limit "
                "wd theta + sign(theta - c) changes sign: below and above the cut-off c, for c inside and beyond 1/wd, by signs of terms",
            )
        )  # fmt: skip
    return tuple(out), {}


def _changes_sign_at_the_cut() -> bool:
    """Whether wd theta + sign(theta - c) is negative below c cut off at 1/wd and positive above, for every c >= 0.

    For c < 0 the same holds with all signs turned. Written in p, q, s > 0, so that each case is a term-by-term sign.
    """
    p, q, s, decay = (sp.Dummy(name, positive=True) for name in ("p", "q", "s", "wd"))
    inside, beyond = p / (p + q) / decay, p / decay + 1 / decay  # every c in (0, 1/wd), every c > 1/wd

    def limit(at: sp.Expr, center: sp.Expr) -> sp.Expr:
        return decay * at + sp.sign(sp.expand(at - center))

    cases = [(limit(center + side * s, center), side) for center in (inside, sp.Integer(0)) for side in (1, -1)] + [
        (limit(1 / decay + side * s, 1 / decay), side) for side in (1, -1)
    ]
    cases += [(limit(1 / decay - s, beyond), -1), (limit(1 / decay + s, 1 / decay + s + q), 1), (limit(beyond + s, beyond), 1)]
    return all(sign_by_terms(value, strictly=True) == side for value, side in cases)
