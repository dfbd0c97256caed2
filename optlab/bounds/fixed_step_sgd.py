"""SGD with a constant step on a strongly convex objective: linear to a floor.

Smoothness and alpha <= 1/L give ``E gap+ <= gap - alpha/2 |grad|^2 + alpha^2 L trace/2``, and ``|grad|^2 >= 2 mu gap``.
"""

import sympy as sp

from optlab.bounds import Bound, Obligation, T, gap, trace
from optlab.symbols import L, alpha, mu, symbol

floor = alpha * L * trace / (2 * mu)
expression = floor + (1 - alpha * mu) ** T * (gap - floor)

slope2, u = sp.Symbol("slope2", nonnegative=True), sp.Symbol("u", nonnegative=True)
descent = alpha * slope2 - alpha**2 * L * slope2 / 2  #: what one noiseless step gains at least, slope2 = |grad|^2
e = symbol("e")

BOUND = Bound(
    name="fixed_step_sgd",
    expression=expression,
    measures="E f(theta_T) - f*",
    functions="strongly_convex",
    assumptions=("f is mu-strongly convex and L-smooth", "unbiased gradients of total variance at most trace"),
    conditions=(alpha <= 1 / L,),
    ranges={alpha: (sp.Integer(0), 1 / L)},
    status="proved",
    how="one step contracts to the floor; T steps by induction",
    obligations=(
        Obligation("half the descent is left", descent - alpha * slope2 / 2, True, {alpha: 1 / (L + u)}),
        Obligation(
            "one step contracts to the floor", (1 - alpha * mu) * e + alpha**2 * L * trace / 2 - floor - (1 - alpha * mu) * (e - floor)
        ),
        Obligation("it starts at the gap", expression.subs(T, 0) - gap),
    ),
    reference="Bottou, Curtis & Nocedal, SIAM Rev. 60(2), 2018, Theorem 4.6",
)
