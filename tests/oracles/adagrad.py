"""Adagrad by hand. eps inside the root (article) or outside (torch)."""

import math
from fractions import Fraction

DEFAULTS = {"eps": Fraction(1, 10**8), "start": Fraction(0), "eps_placement": "inside"}


def initial(options):
    return [float((DEFAULTS | options)["start"])]


def point(theta, states, options, alpha=None):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    eps = float(options["eps"])
    total = states[0] + g * g
    scale = {"inside": lambda: math.sqrt(total + eps), "outside": lambda: math.sqrt(total) + eps}[options["eps_placement"]]()
    return theta - alpha * g / scale, [total]
