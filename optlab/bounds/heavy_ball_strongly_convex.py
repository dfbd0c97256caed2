"""Heavy ball on smooth strongly convex objectives, with the momentum that is known to be safe there (Polyak's tuning is not)."""

import sympy as sp

from optlab.bounds import Bound, T, gap
from optlab.symbols import L, alpha, mu, symbol

beta = symbol("beta")

BOUND = Bound(
    name="heavy_ball_strongly_convex",
    expression=(1 - alpha * mu) ** T * gap,
    measures="f(theta_T) - f*",
    functions="strongly_convex",
    assumptions=("f is mu-strongly convex and L-smooth", "exact gradients", "the velocity starts at 0"),
    conditions=(alpha <= 1 / L,),
    rule="momentum",
    tuning={beta: sp.sqrt((1 - alpha * mu) * (1 - alpha * L))},
    ranges={alpha: (sp.Integer(0), 1 / L)},
    status="stated",
    how="a Lyapunov function (reference); compared with the exact worst case of one to five steps",
    reference="Ghadimi, Feyzmahdavian & Johansson, Proc. European Control Conference, 2015, Theorem 4",
)
