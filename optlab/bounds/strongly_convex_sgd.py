"""SGD with steps c/(t + t0) on a strongly convex objective: O(1/T)."""

import sympy as sp

from optlab.bounds import Bound, T, gap, trace
from optlab.symbols import L, mu, symbol

c, t0 = symbol("c"), symbol("t0")

BOUND = Bound(
    name="strongly_convex_sgd",
    expression=sp.Max(c**2 * L * trace / (2 * (c * mu - 1)), t0 * gap) / (T + t0),
    measures="E f(theta_T) - f*",
    assumptions=("f is mu-strongly convex and L-smooth", "unbiased gradients of total variance at most trace"),
    conditions=(c * mu > 1, c * L <= t0),
    schedule="inverse_time",
    tight=False,
    reference="Bottou, Curtis & Nocedal, SIAM Rev. 60(2), 2018, Theorem 4.7 (gamma = t0 - 1, beta = c)",
)
