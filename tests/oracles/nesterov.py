"""Nesterov by hand: the gradient is taken at the point ahead of theta; or that point itself is theta (torch, optax, keras).

The learning rate stands inside the velocity or outside it.
"""

from fractions import Fraction

DEFAULTS = {"beta": Fraction(9, 10), "form": "look_ahead", "learning_rate": "inside"}


def initial(options):
    return [0.0]


def point(theta, states, options, alpha=None):
    options = DEFAULTS | options
    if options["form"] == "rewritten":
        return theta
    velocity = states[0] if options["learning_rate"] == "inside" else -alpha * states[0]
    return theta + float(options["beta"]) * velocity


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    beta = float(options["beta"])
    if options["learning_rate"] == "inside":
        v = beta * states[0] - alpha * g
        velocity = v
    elif options["learning_rate"] == "outside":
        v = beta * states[0] + g
        velocity = -alpha * v
    else:
        raise ValueError(options)
    if options["form"] == "look_ahead":
        return theta + velocity, [v]
    if options["form"] == "rewritten":
        return theta + beta * velocity - alpha * g, [v]
    raise ValueError(options)
