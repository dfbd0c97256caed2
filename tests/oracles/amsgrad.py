"""AMSGrad by hand. No bias correction (paper), or one after the maximum (torch) or before it (optax)."""

from fractions import Fraction
from functools import cache

from tests.oracles.adam import divisor

DEFAULTS = {
    "beta1": Fraction(9, 10),
    "beta2": Fraction(999, 1000),
    "eps": Fraction(1, 10**8),
    "eps_placement": "inside",
    "bias_correction": "off",
}


@cache
def one_minus_power(beta, t):
    return float(1 - beta**t)


def initial(options):
    return [0.0, 0.0, 0.0]


def point(theta, states, options, alpha=None):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta1, beta2 = options["beta1"], options["beta2"]
    m, v, largest = states
    m = float(beta1) * m + float(1 - beta1) * g
    v = float(beta2) * v + float(1 - beta2) * g * g
    first, second = one_minus_power(beta1, t), one_minus_power(beta2, t)
    if options["bias_correction"] == "off":
        largest = max(largest, v)
        mhat, vhat = m, largest
    elif options["bias_correction"] == "after_max":
        largest = max(largest, v)
        mhat, vhat = m / first, largest / second
    elif options["bias_correction"] == "before_max":
        largest = max(largest, v / second)
        mhat, vhat = m / first, largest
    else:
        raise ValueError(options)
    return theta - alpha * mhat / divisor(vhat, t, options), [m, v, largest]
