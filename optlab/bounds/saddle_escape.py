"""Noisy SGD at a strict saddle: when it has left along a direction of curvature -gamma, in mean square.

From the saddle, ``E theta_{t+1}^2 = (1 + alpha gamma)^2 E theta_t^2 + alpha^2 s2``: a geometric sum, solved for the time at which it
reaches r^2.
"""

import sympy as sp

from optlab.bounds import Bound, Obligation
from optlab.symbols import alpha, s2, symbol

gamma, r, m = symbol("gamma"), symbol("r"), symbol("m")
ratio = (1 + alpha * gamma) ** 2


def second_moment(power: sp.Expr) -> sp.Expr:
    """E theta^2 after t steps from the saddle, where power = ratio^t."""
    return alpha**2 * s2 * (power - 1) / (ratio - 1)


def steps_to(square: sp.Expr) -> sp.Expr:
    """When the second moment reaches this value."""
    return sp.log(1 + square * (ratio - 1) / (alpha**2 * s2)) / sp.log(ratio)


growth, level = sp.Symbol("growth", positive=True), sp.Symbol("level", positive=True)
reached = 1 + level * growth / (alpha**2 * s2)  #: ratio ** steps at the time, with growth = ratio - 1

BOUND = Bound(
    name="saddle_escape",
    expression=steps_to(r**2),
    measures="the number of steps during which E theta_t^2 < r^2 along the direction, from the saddle itself",
    quantity="steps",
    functions="saddle",
    assumptions=("f is -gamma/2 theta^2 along the direction", "additive gradient noise of variance s2 along it", "theta_0 is the saddle"),
    conditions=(gamma > 0, r > 0),
    symbols={gamma: "the curvature is -gamma", r: "distance to reach"},
    tight=True,
    attained_by="every instance: E theta_t^2 is r^2 at that time, rounded up to a whole step",
    status="proved",
    how="the recursion of the second moment, solved and inverted",
    obligations=(
        Obligation("the recursion", second_moment(m * ratio) - ratio * second_moment(m) - alpha**2 * s2),
        Obligation("it starts at the saddle", second_moment(sp.Integer(1))),
        Obligation("the time", alpha**2 * s2 * (reached - 1) / growth - level),
        Obligation("the time is the logarithm of that", sp.log(ratio) * steps_to(level) - sp.log(reached.subs(growth, ratio - 1))),
    ),
    reference="the linear recursion is elementary; its role at saddles: Ge, Huang, Jin & Yuan, COLT 2015",
)
