"""Heavy-ball momentum by hand. The learning rate stands inside the velocity (article) or outside it (torch). Dampened,
gradients after the first count (1 - damp) times."""

from fractions import Fraction

DEFAULTS = {"beta": Fraction(9, 10), "learning_rate": "inside", "dampening": "none"}


def initial(options):
    return [0.0]


def point(theta, states, options, alpha=None):
    return theta


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta = float(options["beta"])
    (v,) = states
    if options["dampening"] == "after_first":
        g = g if t == 1 else (1 - float(options["damp"])) * g
    if options["learning_rate"] == "inside":
        v = beta * v - alpha * g
        theta = theta + v
    elif options["learning_rate"] == "outside":
        v = beta * v + g
        theta = theta - alpha * v
    else:
        raise ValueError(options)
    return theta, [v]
