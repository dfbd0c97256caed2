"""Polyak's heavy ball on quadratics, at his tuning: the exact worst case for every T, its polynomial factor included.

Along a curvature lam, ``theta_{t+1} = (1 + beta - alpha lam) theta_t - beta theta_{t-1}`` with beta = rho^2 and
``1 + beta - alpha lam = 2 rho x``, -1 <= x <= 1. From rest, ``theta_t = rho^t (U_t(x) - rho U_{t-1}(x)) theta_0`` with the
Chebyshev polynomials ``U_t = 2 x U_{t-1} - U_{t-2}``. With x = cos(phi), ``sin(phi) U_t = sin((t + 1) phi) =
sin(phi) (x U_{t-1} + cos(t phi))``, so ``|U_t| <= t + 1``; and at x = -1 (curvature L), where
``U_t = (-1)^t (t + 1)``, both terms reach it with the same sign.
"""

import sympy as sp

from optlab.bounds import Bound, Obligation, T, gap
from optlab.symbols import L, alpha, lam, mu, symbol

beta, x, u1, u0, p, q = (symbol(name) for name in ("beta", "x", "u1", "u0", "p", "q"))

rho = (sp.sqrt(L) - sp.sqrt(mu)) / (sp.sqrt(L) + sp.sqrt(mu))
factor = rho**T * (1 + T * (1 + rho))  #: of the distance
tuning = {alpha: 4 / (sp.sqrt(L) + sp.sqrt(mu)) ** 2, beta: rho**2}

u2 = 2 * x * u1 - u0
u3 = 2 * x * u2 - u1
r = symbol("r")
angle = (1 + beta - alpha * lam) / (2 * rho)


def at(expression: sp.Expr, curvature: sp.Expr) -> sp.Expr:
    """The expression at the tuning, with square roots of mu and L as symbols p, q > 0."""
    return sp.cancel(
        sp.powdenest(expression.subs(lam, curvature).subs(tuning).subs({sp.sqrt(L): p, sp.sqrt(mu): q, L: p**2, mu: q**2}), force=True)
    )


BOUND = Bound(
    name="heavy_ball",
    expression=factor**2 * gap,
    measures="f(theta_T) - f*",
    functions="quadratic",
    assumptions=("f is quadratic with curvatures in [mu, L]", "exact gradients", "the velocity starts at 0"),
    conditions=(mu <= L,),
    rule="momentum",
    tuning={beta: tuning[beta]},
    schedule_values={alpha: tuning[alpha]},
    tight=True,
    attained_by="one curvature L",
    status="proved",
    how="the iterates are Chebyshev polynomials of the second kind, largest at the curvature L",
    obligations=(
        Obligation("the first step", r * (2 * x - r) - (2 * r * x - r**2)),
        Obligation("every other step", r**3 * (u3 - r * u2) - 2 * r * x * r**2 * (u2 - r * u1) + r**2 * r * (u1 - r * u0)),
        Obligation("x = -1 at the curvature L", at(angle, L) + 1),
        Obligation("x = 1 at the curvature mu", at(angle, mu) - 1),
        Obligation(  # U_t = x U_{t-1} + cos(t phi), so |U_t| <= |U_{t-1}| + 1
            "one more in modulus each step", sp.sin(p + q) - sp.cos(q) * sp.sin(p) - sp.sin(q) * sp.cos(p)
        ),
        Obligation("U_t = (-1)^t (t + 1) at x = -1", -2 * -(T + 1) - T - (T + 2)),
    ),
    reference="Polyak, USSR Comput. Math. 4(5), 1964 (the rate); the factor is derived here",
)
