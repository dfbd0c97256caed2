"""RMSProp by hand. eps inside the root (article) or outside (torch); the mean square starts at 0 or at 1."""

import math
from fractions import Fraction

DEFAULTS = {"beta": Fraction(9, 10), "eps": Fraction(1, 10**8), "eps_placement": "inside", "first_step": "zero"}


def initial(options):
    return [{"zero": 0.0, "one": 1.0}[(DEFAULTS | options)["first_step"]]]


def point(theta, states, options):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta, eps = options["beta"], float(options["eps"])
    v = float(beta) * states[0] + float(1 - beta) * g * g
    scale = {"inside": lambda: math.sqrt(v + eps), "outside": lambda: math.sqrt(v) + eps}[options["eps_placement"]]()
    return theta - alpha * g / scale, [v]
