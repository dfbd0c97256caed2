"""SGD with steps c/(t + t0) on a strongly convex objective: O(1/T).

One step gives ``E gap+ <= (1 - alpha mu) gap + alpha^2 L trace/2`` where alpha <= 1/L (see ``fixed_step_sgd``); the bound nu/s
with s = t + t0 follows by induction from nu >= c^2 L trace/(2 (c mu - 1)).
"""

import sympy as sp

from optlab.bounds import Bound, Obligation, T, gap, trace
from optlab.bounds.fixed_step_sgd import BOUND as FIXED_STEP
from optlab.symbols import L, mu, symbol

c, t0 = symbol("c"), symbol("t0")
level = c**2 * L * trace / (2 * (c * mu - 1))

s = symbol("s")
u, excess, above = (sp.Symbol(name, nonnegative=True) for name in ("u", "excess", "above"))
nu = level + above
step = (1 - c * mu / s) * nu / s + c**2 * L * trace / (2 * s**2)

BOUND = Bound(
    name="strongly_convex_sgd",
    expression=sp.Max(level, t0 * gap) / (T + t0),
    measures="E f(theta_T) - f*",
    functions="strongly_convex",
    assumptions=("f is mu-strongly convex and L-smooth", "unbiased gradients of total variance at most trace"),
    conditions=(c * mu > 1, c * L <= t0),
    schedule="inverse_time",
    ranges={c: (1 / mu, sp.oo), t0: (c * L, sp.oo)},
    status="proved",
    how="induction over the steps",
    obligations=(FIXED_STEP.obligations[0], Obligation("the induction step", nu / (s + 1) - step, True, {c: (1 + excess) / mu, s: 1 + u})),
    reference="Bottou, Curtis & Nocedal, SIAM Rev. 60(2), 2018, Theorem 4.7 (gamma = t0 - 1, beta = c)",
)
