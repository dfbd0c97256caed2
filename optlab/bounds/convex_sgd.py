"""SGD with steps a/sqrt(t + 1) on a convex smooth objective: O(log T / sqrt T) for the average.

One step gives ``E d_{t+1}^2 <= E d_t^2 - 2 alpha_t E(f(theta_t) - f*) + alpha_t^2 trace`` where alpha_t <= 1/L (the gradients
are co-coercive); the sum over t, with ``sum 1/sqrt(t+1) >= 2 (sqrt(T+1) - 1)`` and ``sum 1/(t+1) <= 1 + log T``, is the bound.
"""

import sympy as sp

from optlab.bounds import Bound, Obligation, T, distance2, trace
from optlab.symbols import L, symbol, time

a = symbol("a")
p, w, slope2, u = (sp.Symbol(name, nonnegative=True) for name in ("p", "w", "slope2", "u"))
part = sp.Symbol("x", nonnegative=True)


def harmonic_obligations() -> tuple[Obligation, ...]:
    """1/t <= log t - log(t - 1): with x = 1/t, -log(1 - x) - x vanishes at 0 and grows."""
    excess = -sp.log(1 - part) - part
    return (
        Obligation("the harmonic sum: its excess starts at 0", excess.subs(part, 0)),
        Obligation("the harmonic sum: its excess grows", sp.diff(excess, part), True, {part: 1 / (1 + u)}),
    )


BOUND = Bound(
    name="convex_sgd",
    expression=(distance2 + a**2 * trace * (1 + sp.log(T))) / (4 * a * (sp.sqrt(T + 1) - 1)),
    measures="the alpha-weighted average of E f(theta_t) - f* over t < T, hence also f at the weighted average of theta_t",
    quantity="average_of_losses",
    average=(1 / sp.sqrt(time + 1), sp.Integer(0), T - 1),
    functions="convex",
    assumptions=("f is convex and L-smooth", "unbiased gradients of total variance at most trace"),
    conditions=(a <= 1 / L,),
    schedule="inverse_sqrt",
    ranges={a: (sp.Integer(0), 1 / L)},
    status="proved",
    how="one-step inequalities telescope; both sums are compared with integrals",
    obligations=(
        Obligation("co-coercivity pays for the squared step", a * slope2 / L - a**2 * slope2, True, {a: 1 / (L + u)}),
        Obligation("1/sqrt(s) >= 2 (sqrt(s + 1) - sqrt(s)), with p and p + w the roots", 1 / p - 2 / (2 * p + w), at_least=True),
        *harmonic_obligations(),
    ),
    reference="Nemirovski, Juditsky, Lan & Shapiro, SIAM J. Optim. 19(4), 2009, Section 2.2; Lan, Math. Program. 133, 2012",
)
