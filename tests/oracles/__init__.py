"""Slow, obvious, hand-written twins of what optlab generates. Nothing here imports optlab.

Each rule's twin offers ``initial(options)``, the states before the first step; ``point(theta, states, options, alpha)``, where the
gradient is taken; and ``step(theta, states, g, t, alpha, options)``, the new (theta, states). ``t`` counts from 1. ``options``
holds the hyper-parameters as Fractions and the variants as strings; each twin states its own defaults.
"""

from tests.oracles import (
    adabelief,
    adadelta,
    adagrad,
    adam,
    adamax,
    adamw,
    amsgrad,
    ema_momentum,
    lion,
    momentum,
    nadam,
    nesterov,
    rmsprop,
    rmsprop_momentum,
    sgd,
)

RULES = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "ema_momentum": ema_momentum,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
    "adagrad": adagrad,
    "nadam": nadam,
    "amsgrad": amsgrad,
    "adamax": adamax,
    "lion": lion,
    "adadelta": adadelta,
    "rmsprop_momentum": rmsprop_momentum,
    "adabelief": adabelief,
}
