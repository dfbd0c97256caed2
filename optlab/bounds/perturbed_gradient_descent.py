"""Perturbed gradient descent finds a second-order stationary point in time that depends on the dimension by logarithms only.

The theorem leaves an absolute constant unsaid; it stands here as the symbol C, so the bound gives the scaling and no number.
"""

import sympy as sp

from optlab.bounds import Bound, gap
from optlab.symbols import L, alpha, symbol

C, delta, eps, n, rho, ratio = (symbol(name) for name in ("C", "delta", "eps", "n", "rho", "ratio"))

BOUND = Bound(
    name="perturbed_gradient_descent",
    expression=C * L * gap / eps**2 * sp.log(n * L * gap / (eps**2 * delta)) ** 4,
    measures="the steps until a point with |grad f| <= eps and smallest curvature >= -sqrt(rho eps) is found, with probability 1 - delta",
    quantity="steps",
    functions="nonconvex",
    assumptions=(
        "f is L-smooth and its Hessian is rho-Lipschitz", "exact gradients, and a perturbation from a small ball where they are small",
        "C is an absolute constant that the theorem does not give",
    ),
    conditions=(C > 0, delta > 0, delta < 1, rho > 0, eps <= L**2 / rho),
    schedule_values={alpha: ratio / L},
    symbols={
        C: "an absolute constant, not given", n: "dimension", eps: "accuracy of the gradient", rho: "Lipschitz constant of the Hessian",
        delta: "probability of failure", ratio: "alpha L, at most an absolute constant that is not given",
    },
    status="stated",
    how="coupling of two runs near a saddle (reference); the constants are not explicit",
    explicit=False,
    reference="Jin, Ge, Netrapalli, Kakade & Jordan, ICML 2017, Theorem 3",
)  # fmt: skip
