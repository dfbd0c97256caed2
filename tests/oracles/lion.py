"""Lion by hand: Algorithm 2 of Chen et al.; the sign of zero is zero."""

from fractions import Fraction

DEFAULTS = {"beta1": Fraction(9, 10), "beta2": Fraction(99, 100), "wd": Fraction(0)}


def initial(options):
    return [0.0]


def point(theta, states, options, alpha=None):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta1, beta2, wd = options["beta1"], options["beta2"], float(options["wd"])
    c = float(beta1) * states[0] + float(1 - beta1) * g
    sign = 1.0 if c > 0 else -1.0 if c < 0 else 0.0
    return theta - alpha * (sign + wd * theta), [float(beta2) * states[0] + float(1 - beta2) * g]
