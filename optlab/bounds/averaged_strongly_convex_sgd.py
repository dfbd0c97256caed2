"""SGD with steps 2/(mu (t + 2)) and weights t + 1 on a strongly convex objective: O(1/T) without the log, smooth or not.

Count n = t + 1 from 1. ``E d_{n+1} <= (1 - alpha mu) E d_n - 2 alpha E(f - f*) + alpha^2 G^2`` for d = |theta - theta*|^2; divided by
2 alpha and times n, the distances telescope: ``n E(f - f*) <= n G^2/(mu (n + 1)) + mu/4 (n (n - 1) d_n - n (n + 1) d_{n+1})``.
"""

import sympy as sp

from optlab.bounds import Bound, Obligation, T
from optlab.symbols import mu, symbol, time

G, c, t0 = symbol("G"), symbol("c"), symbol("t0")
n, d, d_next = (sp.Symbol(name, nonnegative=True) for name in ("n", "d", "d_next"))

rate = 2 / (mu * (n + 1))
loss = ((1 - rate * mu) * d + rate**2 * G**2 - d_next) / (2 * rate)  #: what E f - f* is at most, by one step
expression = 2 * G**2 / (mu * (T + 1))

BOUND = Bound(
    name="averaged_strongly_convex_sgd",
    expression=expression,
    measures="the average of E f(theta_t) - f* over t < T with weights t + 1, hence also f at the average of theta_t with these weights",
    quantity="average_of_losses",
    average=(time + 1, sp.Integer(0), T - 1),
    functions="strongly_convex",
    assumptions=("f is mu-strongly convex", "the stochastic gradients have E |g_t|^2 <= G^2 at every t < T"),
    schedule="inverse_time",
    schedule_values={c: 2 / mu, t0: sp.Integer(2)},
    symbols={G: "square root of a bound on the second moment E |g_t|^2 of the stochastic gradients"},
    status="proved",
    how="weighted one-step inequalities telescope",
    obligations=(
        Obligation("one step, times its weight", n * loss - n * G**2 / (mu * (n + 1)) - mu / 4 * (n * (n - 1) * d - n * (n + 1) * d_next)),
        Obligation(
            "each weight times its noise is at most G^2/mu", G**2 / mu - n * G**2 / (mu * (n + 1)), True, {G: sp.Symbol("G", positive=True)}
        ),
        Obligation("divided by the sum of weights", T * G**2 / mu / (T * (T + 1) / 2) - expression),
    ),
    reference="Lacoste-Julien, Schmidt & Bach, arXiv:1212.2002, 2012",
)
