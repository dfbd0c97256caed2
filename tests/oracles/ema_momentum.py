"""Momentum as an average of gradients, by hand. Torch's first step takes the gradient itself instead of averaging with zero."""

from fractions import Fraction

DEFAULTS = {"beta": Fraction(9, 10), "first_step": "zero"}


def initial(options):
    return [0.0]


def point(theta, states, options, alpha=None):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta = options["beta"]
    (m,) = states
    if options["first_step"] == "gradient" and t == 1:
        m = g
    elif options["first_step"] in ("zero", "gradient"):
        m = float(beta) * m + float(1 - beta) * g
    else:
        raise ValueError(options)
    return theta - alpha * m, [m]
