"""Gradient descent with a constant step on a convex smooth objective: O(1/T), the exact worst case.

The proof of the upper bound is a dual certificate of a semidefinite program (see the reference); what SymPy verifies here is
that the bound is attained: on a Huber function every step is alpha times the same slope until the last.
"""

import sympy as sp

from optlab.bounds import Bound, Obligation, T, distance2
from optlab.symbols import L, alpha

expression = distance2 / (4 * alpha * T + 2 / L)

R = sp.sqrt(distance2)
width = R / (2 * alpha * L * T + 1)  #: where the Huber function turns from a parabola to a line
last = R - T * alpha * L * width  #: where T steps of slope L * width lead

BOUND = Bound(
    name="gradient_descent",
    expression=expression,
    measures="f(theta_T) - f*",
    functions="convex",
    assumptions=("f is convex and L-smooth", "exact gradients"),
    conditions=(alpha <= 1 / L,),
    ranges={alpha: (sp.Integer(0), 1 / L)},
    tight=True,
    attained_by="the Huber function of curvature L that turns linear at |theta| = R/(2 alpha L T + 1), from theta_0 = R",
    status="stated",
    how="a dual certificate (reference); SymPy verifies that the Huber function attains it",
    obligations=(
        Obligation("the last point lies on the line", last - width, at_least=True),
        Obligation("its loss is the bound", L * width * last - L * width**2 / 2 - expression),
    ),
    reference="Drori & Teboulle, Math. Program. 145, 2014, Theorem 3.1 (at alpha = 1/L: L R^2/(4 T + 2))",
)
