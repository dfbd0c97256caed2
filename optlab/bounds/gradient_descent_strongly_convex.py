"""Gradient descent with a constant step on a strongly convex smooth objective: linear, the exact worst case.

With rho = max(1 - alpha mu, alpha L - 1), add three interpolation inequalities of smooth strongly convex functions
``f_i >= f_j + g_j (x_i - x_j) + ...``: between x0 and x1 with weight rho, between the minimizer and x0 with weight
rho (1 - rho), between the minimizer and x1 with weight 1 - rho. What stands beside ``rho^2 (f_0 - f*) - (f_1 - f*)`` is a
quadratic form in (x0, g0, g1); SymPy completes its squares and finds no remainder.
"""

import sympy as sp

from optlab.bounds import Bound, Obligation, T, gap
from optlab.symbols import L, alpha, mu, symbol

x0, g0, g1 = symbol("x0"), symbol("g0"), symbol("g1")
u, w = sp.Symbol("u", nonnegative=True), sp.Symbol("w", nonnegative=True)


def beyond(xi: sp.Expr, gi: sp.Expr, xj: sp.Expr, gj: sp.Expr) -> sp.Expr:
    """What f_i - f_j is at least, for a mu-strongly convex L-smooth f (Taylor, Hendrickx & Glineur 2017, Theorem 4)."""
    square = (gi - gj) ** 2 / L + mu * (xi - xj) ** 2 - 2 * mu / L * (gj - gi) * (xj - xi)
    return gj * (xi - xj) + square / (2 * (1 - mu / L))


def squares(rho: sp.Expr, where: dict[sp.Symbol, sp.Expr], name: str) -> tuple[Obligation, ...]:
    """The form as a sum of two squares with coefficients that are nonnegative under ``where``."""
    zero, x1 = sp.Integer(0), x0 - alpha * g0
    form = rho * beyond(x0, g0, x1, g1) + rho * (1 - rho) * beyond(zero, zero, x0, g0) + (1 - rho) * beyond(zero, zero, x1, g1)
    H = sp.hessian(form, (x0, g0, g1)).applyfunc(sp.cancel)
    first = H[2, 2]
    rest = (H[:2, :2] - H[:2, 2] * H[2, :2] / first).applyfunc(sp.cancel)
    second = rest[0, 0]
    return (
        Obligation(f"{name}: the weights are nonnegative", rho * (1 - rho), True, where),
        Obligation(f"{name}: the first square", first, True, where),
        Obligation(f"{name}: the second square", second, True, where),
        Obligation(f"{name}: the third square", rest[1, 1], True, where),
        Obligation(f"{name}: no remainder", rest.det()),
    )


short = {alpha: 2 / (2 * mu + w + u), L: mu + w}  # alpha <= 2/(mu + L)
# 2/(mu + L) <= alpha < 2/L: 2/alpha between L and L + mu
long = {alpha: 2 * (1 + u) / (L * (1 + u) + mu), L: mu + w}

BOUND = Bound(
    name="gradient_descent_strongly_convex",
    expression=sp.Max((1 - alpha * mu) ** 2, (1 - alpha * L) ** 2) ** T * gap,
    measures="f(theta_T) - f*",
    functions="strongly_convex",
    assumptions=("f is mu-strongly convex and L-smooth", "exact gradients"),
    conditions=(alpha < 2 / L,),
    ranges={alpha: (sp.Integer(0), 2 / L)},
    tight=True,
    attained_by="a quadratic whose one curvature is mu (if alpha <= 2/(mu + L)) or L (otherwise)",
    status="proved",
    how="three interpolation inequalities leave a quadratic form, which is a sum of squares",
    obligations=(
        *squares(1 - alpha * mu, short, "alpha <= 2/(mu + L)"),
        *squares(alpha * L - 1, {alpha: long[alpha].subs(L, mu + w), L: mu + w}, "alpha >= 2/(mu + L)"),
    ),
    reference="Taylor, Hendrickx & Glineur, J. Optim. Theory Appl. 178, 2018, Theorem 3.3; at alpha = 2/(mu + L), where it is "
    "((kappa - 1)/(kappa + 1))^(2 T) gap: de Klerk, Glineur & Taylor, Optim. Lett. 11, 2017",
)
