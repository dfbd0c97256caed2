"""Adam by hand. eps inside the root (article) or outside (paper, torch); bias correction on or off."""

import math
from fractions import Fraction
from functools import cache

DEFAULTS = {
    "beta1": Fraction(9, 10),
    "beta2": Fraction(999, 1000),
    "eps": Fraction(1, 10**8),
    "eps_placement": "inside",
    "bias_correction": "on",
}


@cache
def one_minus_power(beta, t):
    """1 - beta^t, computed exactly and rounded once."""
    return float(1 - beta**t)


def initial(options):
    return [0.0, 0.0]


def point(theta, states, options):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta1, beta2, eps = options["beta1"], options["beta2"], float(options["eps"])
    m, v = states
    m = float(beta1) * m + float(1 - beta1) * g
    v = float(beta2) * v + float(1 - beta2) * g * g
    if options["bias_correction"] == "on":
        mhat, vhat = m / one_minus_power(beta1, t), v / one_minus_power(beta2, t)
    elif options["bias_correction"] == "off":
        mhat, vhat = m, v
    else:
        raise ValueError(options)
    if options["eps_placement"] == "inside":
        scale = math.sqrt(vhat + eps)
    elif options["eps_placement"] == "outside":
        scale = math.sqrt(vhat) + eps
    else:
        raise ValueError(options)
    return theta - alpha * mhat / scale, [m, v]
