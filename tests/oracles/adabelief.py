"""AdaBelief by hand. What is added to the square at every step is eps itself (paper) or a number of its own (optax)."""

import math
from fractions import Fraction

from tests.oracles.adam import one_minus_power

DEFAULTS = {"beta1": Fraction(9, 10), "beta2": Fraction(999, 1000), "eps": Fraction(1, 10**16), "added": "eps"}


def initial(options):
    return [0.0, 0.0]


def point(theta, states, options, alpha=None):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta1, beta2, eps = options["beta1"], options["beta2"], float(options["eps"])
    m, s = states
    m = float(beta1) * m + float(1 - beta1) * g
    s = float(beta2) * s + float(1 - beta2) * (g - m) ** 2 + float(options[options["added"]])
    scale = math.sqrt(s / one_minus_power(beta2, t)) + eps
    return theta - alpha * (m / one_minus_power(beta1, t)) / scale, [m, s]
