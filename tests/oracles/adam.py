"""Adam by hand. eps inside the root (article), outside (paper, torch), both (optax), or beside the root before it is corrected (keras)."""

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


def point(theta, states, options, alpha=None):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta1, beta2 = options["beta1"], options["beta2"]
    m, v = states
    m = float(beta1) * m + float(1 - beta1) * g
    v = float(beta2) * v + float(1 - beta2) * g * g
    if options["bias_correction"] == "on":
        mhat, vhat = m / one_minus_power(beta1, t), v / one_minus_power(beta2, t)
    elif options["bias_correction"] == "off":
        mhat, vhat = m, v
    else:
        raise ValueError(options)
    return theta - alpha * mhat / divisor(vhat, t, options), [m, v]


def divisor(vhat, t, options):
    eps = float(options["eps"])
    if options["eps_placement"] == "inside":
        return math.sqrt(vhat + eps)
    if options["eps_placement"] == "outside":
        return math.sqrt(vhat) + eps
    if options["eps_placement"] == "both":
        return math.sqrt(vhat + float(options["eps_root"])) + eps
    if options["eps_placement"] == "before_correction":
        return math.sqrt(vhat) + eps / math.sqrt(one_minus_power(options["beta2"], t))
    raise ValueError(options)
