"""Adadelta by hand."""

import math
from fractions import Fraction

DEFAULTS = {"beta": Fraction(95, 100), "eps": Fraction(1, 10**6)}


def initial(options):
    return [0.0, 0.0]


def point(theta, states, options, alpha=None):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta, eps = options["beta"], float(options["eps"])
    v, d = states
    v = float(beta) * v + float(1 - beta) * g * g
    move = math.sqrt(d + eps) / math.sqrt(v + eps) * g
    d = float(beta) * d + float(1 - beta) * move * move
    return theta - alpha * move, [v, d]
