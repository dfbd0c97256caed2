"""Whether the minimum of lam/2 theta^2 attracts an adaptive rule, as a condition on eps."""

from __future__ import annotations

import sympy as sp

from optlab.analysis.adaptive.frozen import COHEN, freeze
from optlab.analysis.adaptive.update import compose, parameter
from optlab.errors import UnsupportedError
from optlab.expressions import Rule
from optlab.statements import Statement
from optlab.symbols import g, lam, theta


def minimum_statements(rule: Rule) -> tuple[tuple[Statement, ...], dict[str, str]]:
    """The Jacobian at the minimum where there is one, and the condition for stability."""
    f, reasons = freeze(rule), {}
    P, critical = f.held_at, f.critical_scale
    out: list[Statement] = []
    if f.never_falls:
        out.append(
            Statement(
                name="minimum_stable", about="the held scale from which on the minimum is stable; it never falls, so it stays so",
                expression=sp.Gt(P, f.P_of(critical - f.shift)), status="derived", symbols={P: f"what {f.P[P]} has grown to"},
                how="the scale at which the frozen rule has an eigenvalue of -1, solved for P", reference=COHEN,
            )
        )  # fmt: skip
        return tuple(out), {"minimum_jacobian": f"rule {rule.name}: its scale keeps what it has grown to, so the minimum is no fixed point"}
    states = (theta, *f.moving, *f.held)
    now = compose(f.equations, {g: lam * rule.gradient_at})
    zero = dict.fromkeys(states, sp.Integer(0))
    smooth = not any(now[s].has(sp.sign, sp.Abs, sp.Max) for s in states)
    J = sp.Matrix([[sp.diff(now[s], v).subs(zero) for v in states] for s in states]) if smooth else None
    if J is None or J.has(sp.nan, sp.zoo, sp.oo):
        reasons["minimum_jacobian"] = (
            f"rule {rule.name} has no derivative at the minimum (a root, size or sign without eps inside); the condition is that of the "
            "frozen rule as P goes to 0"
        )
    else:
        k = 1 + len(f.moving)
        frozen = f.transition_matrix.xreplace({P: sp.Integer(0)})
        if not J[k:, :k].is_zero_matrix or sp.expand(J[:k, :k] - frozen) != sp.zeros(k, k):
            raise UnsupportedError(f"rule {rule.name}: its Jacobian at the minimum is not that of the frozen rule at P = 0")
        own = ", ".join(str(J[i, i]) for i in range(k, len(states)))
        out.append(
            Statement(
                name="minimum_jacobian", about="the derivative of one step of (theta, states) at the minimum", expression=J.as_immutable(),
                status="derived",
                how=f"derivatives at 0; block triangular: the frozen rule at P = 0, and {own}, the scale's own eigenvalue",
            )
        )  # fmt: skip
    scale = f.scale.xreplace({P: sp.Integer(0)})
    eps = parameter(rule, "eps")
    if eps is None or eps in rule.bound or scale not in (eps, sp.sqrt(eps)):
        relation: sp.Basic = sp.Gt(scale, critical)
        if scale == 0:
            reasons["minimum_stable"] = f"rule {rule.name}: without eps the scale falls to 0 at the minimum, which is never stable"
            return tuple(out), reasons
    else:
        relation = sp.Gt(eps, critical if scale == eps else critical**2)
    out.append(
        Statement(
            name="minimum_stable", about="the minimum of lam/2 theta^2 is stable exactly if this holds", expression=relation,
            status="derived",
            how="the scale left at P = 0 must exceed the one at which an eigenvalue is -1"
            + ("" if "minimum_jacobian" not in reasons else " (frozen rule, P to 0: the Jacobian itself does not exist there)"),
            reference=COHEN,
        )
    )  # fmt: skip
    return tuple(out), reasons
