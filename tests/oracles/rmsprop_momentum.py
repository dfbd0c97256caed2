"""RMSProp with momentum by hand; centered, the running mean is taken out of the running square."""

import math
from fractions import Fraction

DEFAULTS = {
    "beta": Fraction(9, 10),
    "eps": Fraction(1, 10**8),
    "momentum": Fraction(9, 10),
    "eps_placement": "inside",
    "centered": "off",
    "learning_rate": "inside",
}


def initial(options):
    return [0.0, 0.0, 0.0]


def point(theta, states, options, alpha=None):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta, eps, momentum = options["beta"], float(options["eps"]), float(options["momentum"])
    v, m, b = states
    v = float(beta) * v + float(1 - beta) * g * g
    m = float(beta) * m + float(1 - beta) * g
    square = {"off": v, "on": v - m * m}[options["centered"]]
    scale = {"inside": lambda: math.sqrt(square + eps), "outside": lambda: math.sqrt(square) + eps}[options["eps_placement"]]()
    if options["learning_rate"] == "inside":
        b = momentum * b + alpha * g / scale
        return theta - b, [v, m, b]
    if options["learning_rate"] == "outside":
        b = momentum * b + g / scale
        return theta - alpha * b, [v, m, b]
    raise ValueError(options)
