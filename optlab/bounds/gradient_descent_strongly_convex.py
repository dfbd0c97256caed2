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


def squares(
    rho: sp.Expr, inner: sp.Expr, line: sp.Expr, weight: sp.Expr, where: dict[sp.Symbol, sp.Expr], name: str
) -> tuple[Obligation, ...]:
    """The form is (inner^2 + weight line^2)/(2 (L - mu)), with a weight that is nonnegative under ``where``."""
    zero, x1 = sp.Integer(0), x0 - alpha * g0
    form = rho * beyond(x0, g0, x1, g1) + rho * (1 - rho) * beyond(zero, zero, x0, g0) + (1 - rho) * beyond(zero, zero, x1, g1)
    return (
        Obligation(f"{name}: rho is at least 0", rho, True, where),
        Obligation(f"{name}: rho is at most 1", 1 - rho, True, where),
        Obligation(f"{name}: the form is a sum of two squares", form - (inner**2 + weight * line**2) / (2 * (L - mu))),
        Obligation(f"{name}: the weight of the second square", weight, True, where),
    )


beside = 2 - alpha * (L + mu)  #: its sign tells short steps from long ones
short = {alpha: 2 / (2 * mu + w + u), L: mu + w}  # alpha <= 2/(mu + L)
long = {alpha: 2 * (1 + u) / ((mu + w) * (1 + u) + mu), L: mu + w}  # 2/(mu + L) <= alpha < 2/L

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
        *squares(
            1 - alpha * mu, g1 - (1 - alpha * (L + mu)) * g0 - alpha * L * mu * x0, g0 - mu * x0, alpha * L * beside, short, "short steps"
        ),
        *squares(alpha * L - 1, g1 + g0 - L * (2 - alpha * L) * x0, g0 - L * x0, -(2 - alpha * L) * beside, long, "long steps"),
    ),
    reference="Taylor, Hendrickx & Glineur, J. Optim. Theory Appl. 178, 2018, Section 3; at alpha = 2/(mu + L) it is "
    "((kappa - 1)/(kappa + 1))^(2 T) gap, also the rate of exact line search: de Klerk, Glineur & Taylor, Optim. Lett. 11, 2017",
)
