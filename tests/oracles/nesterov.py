"""Nesterov by hand: the gradient is taken at theta + beta v; theta itself is what is reported."""

from fractions import Fraction

DEFAULTS = {"beta": Fraction(9, 10)}


def initial(options):
    return [0.0]


def point(theta, states, options):
    return theta + float((DEFAULTS | options)["beta"]) * states[0]


def step(theta, states, g, t, alpha, options):
    v = float((DEFAULTS | options)["beta"]) * states[0] - alpha * g
    return theta + v, [v]
