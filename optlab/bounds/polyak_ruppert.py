"""SGD with a constant step and averaged iterates on quadratics: trace(H^-1 Sigma)/(2T), whatever the condition number.

Along a curvature lam with rho = 1 - alpha lam, the sum of theta_0 .. theta_{T-1} is (1 - rho^T)/(alpha lam) theta_0 plus independent
noises with coefficients (1 - rho^j)/lam, j = 1 .. T - 1. For 0 <= rho < 1: (1 - rho^j)^2 <= 1 and (1 - rho^T)^2 <= alpha lam T.
"""

import sympy as sp

from optlab.bounds import Bound, Obligation, T, distance2
from optlab.symbols import L, alpha, lam, s2, symbol

whitened = symbol("whitened")
rho = symbol("rho")
x, u, w = (sp.Symbol(name, nonnegative=True) for name in ("x", "u", "w"))

BOUND = Bound(
    name="polyak_ruppert",
    expression=distance2 / (2 * alpha * T) + whitened / (2 * T),
    measures="E f - f* at the average of theta_0 .. theta_{T-1}",
    quantity="loss_at_average",
    average=(sp.Integer(1), sp.Integer(0), T - 1),
    functions="quadratic",
    assumptions=("f is quadratic with curvatures at most L", "additive gradient noise of covariance Sigma, independent from step to step"),
    conditions=(alpha <= 1 / L,),
    ranges={alpha: (sp.Integer(0), 1 / L)},
    symbols={whitened: "trace of H^-1 Sigma: for each direction the variance of its gradient noise over its curvature, summed"},
    status="proved",
    how="the average is a sum of independent terms with explicit coefficients, each bounded",
    obligations=(
        Obligation("the geometric sum grows by one power", (1 - rho * x) / (1 - rho) - (1 - x) / (1 - rho) - x),
        # Bernoulli, 1 - rho^T <= (1 - rho) T: from T to T + 1 the gap grows by (1 - rho)(1 - rho^T) >= 0
        Obligation("Bernoulli's inequality", (1 - rho) - (x - x * rho), True, {rho: 1 / (1 + u), x: 1 / (1 + w)}),
        Obligation("the bias", lam / 2 * (alpha * lam * T) / (alpha * lam * T) ** 2 - 1 / (2 * alpha * T)),
        Obligation("the variance", s2 / (2 * lam * T) - lam / 2 * s2 * (T - 1) / (lam * T) ** 2, at_least=True),
    ),
    reference="Polyak & Juditsky, SIAM J. Control Optim. 30(4), 1992; Bach & Moulines, NIPS 2013; "
    "Defossez & Bach, AISTATS 2015 (finite T); the constants are derived here",
)
