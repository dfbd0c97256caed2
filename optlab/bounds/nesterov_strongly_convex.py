"""Accelerated gradient with constant momentum on a strongly convex smooth objective: linear in 1/sqrt(kappa).

With q = sqrt(mu/L), ``y = (x + q z)/(1 + q)`` and ``z+ = (1 - q) z + q (y - g/mu)``, the function
``V = f(x) - f* + mu/2 |z - theta*|^2`` shrinks by 1 - q each step: descent at y, convexity at x with weight 1 - q and strong
convexity at the minimizer with weight q leave ``-mu q (1 - q)/(2 (1 + q)) |x - z|^2`` and less.
"""

import sympy as sp

from optlab.bounds import Bound, Obligation, T, distance2, gap
from optlab.symbols import L, alpha, mu, symbol

beta, x, z, g, q = (symbol(name) for name in ("beta", "x", "z", "g", "q"))

root = sp.sqrt(mu / L)
y = (x + q * z) / (1 + q)
z_next, x_next = (1 - q) * z + q * (y - g / (q**2 * L)), y - g / L
m = q**2 * L
change = (
    q * (g * y - m / 2 * y**2)
    - g**2 / (2 * L)
    - (1 - q) * (g * (x - y) + m / 2 * (x - y) ** 2)
    + m / 2 * z_next**2
    - (1 - q) * m / 2 * z**2
)
momentum = (1 - q) / (1 + q)
u = sp.Symbol("u", nonnegative=True)

BOUND = Bound(
    name="nesterov_strongly_convex",
    expression=(1 - root) ** T * (gap + mu * distance2 / 2),
    measures="f(theta_T) - f*",
    functions="strongly_convex",
    assumptions=("f is mu-strongly convex and L-smooth", "exact gradients", "the velocity starts at 0"),
    conditions=(mu <= L,),
    rule="nesterov",
    tuning={beta: momentum.subs(q, root)},
    schedule_values={alpha: 1 / L},
    status="proved",
    how="a Lyapunov function that shrinks by 1 - 1/sqrt(kappa): f - f* + mu/2 |z - theta*|^2",
    obligations=(
        Obligation("the Lyapunov function shrinks, up to a square", change + m * q * (1 - q) / (2 * (1 + q)) * (x - z) ** 2),
        Obligation("the coefficient of the square", q * (1 - q) / (1 + q), True, {q: 1 / (1 + u)}),
        Obligation("the momentum form", x_next + momentum * (x_next - x) - (x_next + q * z_next) / (1 + q)),
    ),
    reference="Nesterov, Introductory lectures on convex optimization, 2004, Theorem 2.2.3; "
    "d'Aspremont, Scieur & Taylor, Acceleration methods, Found. Trends Optim. 5, 2021, Corollary 4.15",
)
