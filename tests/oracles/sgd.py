"""SGD by hand."""

DEFAULTS = {}


def initial(options):
    return []


def point(theta, states, options, alpha=None):
    return theta


def step(theta, states, g, t, alpha, options):
    return theta - alpha * g, []
