"""SGD with steps a/sqrt(t + 1) on a convex smooth objective: O(log T / sqrt T) for the last iterate as well.

Where alpha <= 1/L, one step gives, for every point u that was fixed before it, ``2 alpha (E f(theta+) - f(u)) <=
|theta - u|^2 - E |theta+ - u|^2 + 2 alpha^2 trace`` (descent plus convexity). Let alpha_j be the step to theta_j and
q_j = f(theta_j) - f*. With S_k the mean of the last k products alpha_j q_j, ``S_k <= S_{k+1} + 1/(k (k + 1)) sum over the last k
of alpha_j (f(theta_j) - f(theta_{T-k}))``, because alpha does not grow; the one-step inequality with u = theta_{T-k} bounds that
sum by trace times the sum of alpha_j^2, and S_T by (distance2/2 + trace sum alpha_j^2)/T. Summed over k with alpha_j^2 = a^2/j:
``alpha_T E q_T <= (distance2/2 + a^2 trace H_T 2 T/(T + 1))/T`` with ``H_T = 1 + 1/2 + ... + 1/T <= 1 + log T``.
"""

import sympy as sp

from optlab.bounds import Bound, Obligation, T, distance2, trace
from optlab.bounds.convex_sgd import a, harmonic_obligations
from optlab.symbols import L, alpha, symbol

k, j, H = symbol("k"), symbol("j"), symbol("H")
slope2, u = sp.Symbol("slope2", nonnegative=True), sp.Symbol("u", nonnegative=True)
inner = symbol("inner")  #: <grad, theta - u>


def one_step() -> tuple[Obligation, ...]:
    """2 alpha (f(theta+) - f(u)) + |theta+ - u|^2 - |theta - u|^2 <= alpha^2 trace (1 + alpha L) <= 2 alpha^2 trace."""
    loss = inner - alpha * slope2 * (1 - alpha * L / 2) + alpha**2 * L * trace / 2
    moved = -2 * alpha * inner + alpha**2 * (slope2 + trace)
    step = {alpha: 1 / (L + u)}
    return (
        Obligation("one step", alpha**2 * trace * (1 + alpha * L) - (2 * alpha * loss + moved), True, step),
        Obligation("one step, rounded up", 2 * alpha**2 * trace - alpha**2 * trace * (1 + alpha * L), True, step),
    )


BOUND = Bound(
    name="convex_sgd_last_iterate",
    expression=(distance2 / (2 * a) + 2 * a * trace * (1 + sp.log(T)) * T / (T + 1)) / sp.sqrt(T),
    measures="E f(theta_T) - f*",
    functions="convex",
    assumptions=("f is convex and L-smooth", "unbiased gradients of total variance at most trace"),
    conditions=(a <= 1 / L,),
    schedule="inverse_sqrt",
    ranges={a: (sp.Integer(0), 1 / L)},
    status="proved",
    how="suffix averages, each compared with the one before it",
    obligations=(
        *one_step(),
        Obligation("1/k - 1/(k + 1)", 1 / k - 1 / (k + 1) - 1 / (k * (k + 1))),
        Obligation("the weights of alpha_j^2", 1 / (T - j + 1) - 1 / T - (j - 1) / (T * (T - j + 1))),
        Obligation("partial fractions", (1 / j + 1 / (T - j + 1)) / (T + 1) - 1 / (j * (T - j + 1))),
        Obligation("the sums added", H + H - 2 * H / (T + 1) - H * 2 * T / (T + 1)),
        *harmonic_obligations(),
    ),
    reference="the argument of Shamir & Zhang, ICML 2013, Theorem 2, without a bounded domain (Orabona 2020; Liu & Zhou, ICLR 2024); "
    "the constants are derived here",
)
