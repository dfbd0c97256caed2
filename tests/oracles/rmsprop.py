"""RMSProp by hand. eps inside the root (article) or outside (torch); the mean square starts at 0, at 1 or where one says;
it is used as it is, or divided by 1 - beta^t (optax)."""

import math
from fractions import Fraction

DEFAULTS = {"beta": Fraction(9, 10), "eps": Fraction(1, 10**8), "eps_placement": "inside", "first_step": "zero", "bias_correction": "off"}


def initial(options):
    options = DEFAULTS | options
    return [{"zero": lambda: 0.0, "one": lambda: 1.0, "given": lambda: float(options["initial"])}[options["first_step"]]()]


def point(theta, states, options, alpha=None):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta, eps = options["beta"], float(options["eps"])
    v = float(beta) * states[0] + float(1 - beta) * g * g
    square = {"off": lambda: v, "on": lambda: v / float(1 - beta**t)}[options["bias_correction"]]()
    scale = {"inside": lambda: math.sqrt(square + eps), "outside": lambda: math.sqrt(square) + eps}[options["eps_placement"]]()
    return theta - alpha * g / scale, [v]
