"""SGD with steps a/sqrt(t + 1) on a convex smooth objective: O(log T / sqrt T) for the average.

One step gives ``E d_{t+1}^2 <= E d_t^2 - 2 alpha_t E(f(theta_t) - f*) + alpha_t^2 trace`` where alpha_t <= 1/L (the gradients
are co-coercive); the sum over t, with ``sum 1/sqrt(t+1) >= 2 (sqrt(T+1) - 1)`` and ``sum 1/(t+1) <= 1 + log T``, is the bound.
"""

import sympy as sp

from optlab.bounds import Bound, T, distance2, trace
from optlab.symbols import L, symbol

a = symbol("a")

BOUND = Bound(
    name="convex_sgd",
    expression=(distance2 + a**2 * trace * (1 + sp.log(T))) / (4 * a * (sp.sqrt(T + 1) - 1)),
    measures="the alpha-weighted average of E f(theta_t) - f* over t < T, hence also f at the weighted average of theta_t",
    assumptions=("f is convex and L-smooth", "unbiased gradients of total variance at most trace"),
    conditions=(a <= 1 / L,),
    schedule="inverse_sqrt",
    tight=False,
    reference="Nemirovski, Juditsky, Lan & Shapiro, SIAM J. Optim. 19(4), 2009, Section 2.2; Lan, Math. Program. 133, 2012",
)
