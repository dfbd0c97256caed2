"""Trajectories by the rules' hand-written twins, in plain Python."""

import numpy as np

from tests.oracles import RULES
from tests.rules.generated import as_options


def path(rule, gradient, rates, start):
    """theta of every step, shape (steps + 1, d). ``gradient(point, step)`` is what the rule sees, noise included."""
    module, options = RULES[rule.name], as_options(rule)
    theta = [float(x) for x in start]
    states = [module.initial(options) for _ in theta]
    out = [list(theta)]
    for step, rate in enumerate(rates):
        points = [module.point(x, s, options) for x, s in zip(theta, states, strict=True)]
        g = gradient(np.array(points), step)
        pairs = [module.step(x, s, float(gi), step + 1, float(rate), options) for x, s, gi in zip(theta, states, g, strict=True)]
        theta, states = [x for x, _ in pairs], [s for _, s in pairs]
        out.append(list(theta))
    return np.array(out)
