"""SGD by hand."""

DEFAULTS = {}


def initial(options):
    return []


def point(theta, states, options):
    return theta


def step(theta, states, g, t, alpha, options):
    return theta - alpha * g, []
