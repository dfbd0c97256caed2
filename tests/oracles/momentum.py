"""Heavy-ball momentum by hand. The learning rate stands inside the velocity (article) or outside it (torch)."""

from fractions import Fraction

DEFAULTS = {"beta": Fraction(9, 10), "learning_rate": "inside"}


def initial(options):
    return [0.0]


def point(theta, states, options):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta = float(options["beta"])
    (v,) = states
    if options["learning_rate"] == "inside":
        v = beta * v - alpha * g
        theta = theta + v
    elif options["learning_rate"] == "outside":
        v = beta * v + g
        theta = theta - alpha * v
    else:
        raise ValueError(options)
    return theta, [v]
