"""Noisy SGD at a strict saddle: after how many steps it is away with probability 1 - delta.

With Gaussian noise theta_t is normal with the variance v_t of ``saddle_escape``, and a normal density is at most
1/sqrt(2 pi v): ``P(|theta_t| < r) <= 2 r/sqrt(2 pi v_t) <= delta`` once v_t >= 2 r^2/(pi delta^2).
"""

import sympy as sp

from optlab.bounds import Bound, Obligation
from optlab.bounds.saddle_escape import BOUND as MEAN_SQUARE
from optlab.bounds.saddle_escape import gamma, r, steps_to
from optlab.symbols import symbol

delta = symbol("delta")
r_, delta_ = sp.Symbol("r", positive=True), sp.Symbol("delta", positive=True)
needed = 2 * r**2 / (sp.pi * delta**2)
chance = 2 * r_ / sp.sqrt(2 * sp.pi * needed.subs({r: r_, delta: delta_}))  #: 2 r times the largest density

BOUND = Bound(
    name="saddle_escape_probability",
    expression=steps_to(needed),
    measures="the number of steps during which P(|theta_t| < r) > delta along the direction, from the saddle itself",
    quantity="steps",
    functions="saddle",
    assumptions=(
        "f is -gamma/2 theta^2 along the direction", "additive Gaussian gradient noise of variance s2 along it", "theta_0 is the saddle",
    ),
    conditions=(gamma > 0, r > 0, delta > 0, delta < 1),
    symbols=dict(MEAN_SQUARE.symbols) | {delta: "probability of being still within r"},
    status="proved",
    how="the normal density is at most its value at 0",
    obligations=(
        Obligation("2 r times the largest density is delta at that variance", chance - delta_),
        *MEAN_SQUARE.obligations,
    ),
    reference="derived here; its role at saddles: Ge, Huang, Jin & Yuan, COLT 2015",
)  # fmt: skip
