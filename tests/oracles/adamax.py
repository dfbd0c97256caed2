"""Adamax by hand. eps beside the gradient's size inside the maximum (torch), or beside the maximum."""

from fractions import Fraction

from tests.oracles.adam import one_minus_power

DEFAULTS = {"beta1": Fraction(9, 10), "beta2": Fraction(999, 1000), "eps": Fraction(1, 10**8), "eps_placement": "inside"}


def initial(options):
    return [0.0, 0.0]


def point(theta, states, options, alpha=None):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta1, beta2, eps = options["beta1"], options["beta2"], float(options["eps"])
    m = float(beta1) * states[0] + float(1 - beta1) * g
    if options["eps_placement"] == "inside":
        u = max(float(beta2) * states[1], abs(g) + eps)
        scale = u
    elif options["eps_placement"] == "outside":
        u = max(float(beta2) * states[1], abs(g))
        scale = u + eps
    else:
        raise ValueError(options)
    return theta - alpha * (m / one_minus_power(beta1, t)) / scale, [m, u]
