"""Accelerated gradient on a convex smooth objective: O(1/T^2).

With s_t = (t + 1)/2 and the gradient g at ``y = x_t + (s_t - 1)/s_{t+1} (x_t - x_{t-1})``, put ``z_t = s y - (s - 1) x_t`` where
s = s_{t+1}. Descent ``f(x+) <= f(y) - g^2/(2L)`` with weight s^2, convexity at x_t with weight s^2 - s and at the minimizer
with weight s give ``s^2 (f(x+) - f*) + L/2 |z+|^2 <= (s^2 - s) (f(x_t) - f*) + L/2 |z|^2``, and s_{t+1}^2 - s_{t+1} <= s_t^2.
"""

import sympy as sp

from optlab.bounds import Bound, Obligation, T, distance2
from optlab.symbols import L, alpha, symbol, t

beta, x, y, g, s, s_next = (symbol(name) for name in ("beta", "x", "y", "g", "s", "s_next"))
k = sp.Symbol("k", nonnegative=True)


def weight(step: sp.Expr) -> sp.Expr:
    """s_t, the weight of step t (from 1)."""
    return (step + 1) / 2


x_next, z = y - g / L, s * y - (s - 1) * x  # the minimizer is at 0
z_next = z - s * g / L
y_next = x_next + (s - 1) / s_next * (x_next - x)
given = -(s**2) * g**2 / (2 * L) - (s**2 - s) * g * (x - y) - s * g * (0 - y)  # what the three inequalities add up to

BOUND = Bound(
    name="nesterov_convex",
    expression=distance2 * L / (2 * weight(T) ** 2),
    measures="f(theta_T) - f*",
    functions="convex",
    assumptions=("f is convex and L-smooth", "exact gradients", "the velocity starts at 0"),
    rule="nesterov",
    tuning={beta: (weight(t - 1) - 1) / weight(t)},
    schedule_values={alpha: 1 / L},
    status="proved",
    how="a potential that does not grow: s_t^2 (f - f*) + L/2 |z_t|^2",
    obligations=(
        Obligation("the potential does not grow", given + L / 2 * z_next**2 - L / 2 * z**2),
        Obligation("z of the next step", s_next * y_next - (s_next - 1) * x_next - z_next),
        Obligation("the weights", weight(k) ** 2 - (weight(k + 1) ** 2 - weight(k + 1)), at_least=True),
        Obligation("the first weight leaves the distance only", weight(sp.Integer(1)) ** 2 - weight(sp.Integer(1))),
    ),
    reference="Nesterov, Soviet Math. Dokl. 27, 1983; Beck & Teboulle, SIAM J. Imaging Sci. 2(1), 2009, Theorem 4.4 (2 L R^2/(T + 1)^2)",
)
