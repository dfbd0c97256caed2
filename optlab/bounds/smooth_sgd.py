"""SGD with the best constant step for a known number of steps, convex and smooth: L R^2/(2T) + R sigma/sqrt(T).

The one-step inequality of ``convex_sgd_last_iterate`` at the minimizer, averaged over the steps: ``R^2/(2 alpha T) +
alpha trace (1 + alpha L)/2``. With alpha = 1/(L + s), s = sigma sqrt(T)/R, the first term is L R^2/(2T) + R sigma/(2 sqrt T), and
the second at most R sigma/(2 sqrt T) since s (2L + s) <= (L + s)^2.
"""

import sympy as sp

from optlab.bounds import Bound, Obligation, T, distance2, trace
from optlab.bounds.convex_sgd_last_iterate import one_step
from optlab.symbols import L, alpha

R, sigma, s = (sp.Symbol(name, positive=True) for name in ("R", "sigma", "s"))
step = 1 / (L + s)

BOUND = Bound(
    name="smooth_sgd",
    expression=L * distance2 / (2 * T) + sp.sqrt(distance2 * trace / T),
    measures="the average of E f(theta_t) - f* over t = 1 .. T, hence also f at the average of theta_1 .. theta_T",
    quantity="average_of_losses",
    average=(sp.Integer(1), sp.Integer(1), T),
    functions="convex",
    assumptions=("f is convex and L-smooth", "unbiased gradients of total variance at most trace", "T is known beforehand"),
    conditions=(distance2 > 0,),
    schedule_values={alpha: 1 / (L + sp.sqrt(trace * T / distance2))},
    status="proved",
    how="one-step inequalities telescope; the step balances both terms",
    obligations=(
        *one_step(),
        Obligation(
            "the first term", (R**2 / (2 * step * T)).subs(s, sigma * sp.sqrt(T) / R) - L * R**2 / (2 * T) - R * sigma / (2 * sp.sqrt(T))
        ),
        Obligation("the second term, with sigma^2 = s R sigma/sqrt(T)", 1 / s - step * (1 + step * L), at_least=True),
    ),
    reference="Lan, Math. Program. 133, 2012; Bubeck, Found. Trends Mach. Learn. 8, 2015, Theorem 6.3 (with larger constants); "
    "the constants are derived here",
)
