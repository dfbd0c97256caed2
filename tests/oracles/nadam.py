"""NAdam by hand. The momentum rises from beta1 / 2 to beta1, or is beta1 throughout; the product starts anew for every t."""

import math
from fractions import Fraction
from functools import cache

from tests.oracles.adam import divisor, one_minus_power

DEFAULTS = {
    "beta1": Fraction(9, 10),
    "beta2": Fraction(999, 1000),
    "eps": Fraction(1, 10**8),
    "psi": Fraction(4, 1000),
    "eps_placement": "inside",
    "momentum": "rising",
}


def momentum(t, beta1, psi, kind):
    return {"rising": lambda: float(beta1) * (1 - 0.5 * 0.96 ** (float(psi) * t)), "constant": lambda: float(beta1)}[kind]()


@cache
def product(t, beta1, psi, kind):
    return math.prod(momentum(i, beta1, psi, kind) for i in range(1, t + 1))


def initial(options):
    return [0.0, 0.0]


def point(theta, states, options, alpha=None):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta1, beta2 = options["beta1"], options["beta2"]
    how = (beta1, options["psi"], options["momentum"])
    m, v = states
    m = float(beta1) * m + float(1 - beta1) * g
    v = float(beta2) * v + float(1 - beta2) * g * g
    vhat = v / one_minus_power(beta2, t)
    now, following = momentum(t, *how), momentum(t + 1, *how)
    mean = following * m / (1 - product(t + 1, *how)) + (1 - now) * g / (1 - product(t, *how))
    return theta - alpha * mean / divisor(vhat, t, options), [m, v]
