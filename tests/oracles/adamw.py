"""AdamW by hand: theta shrinks by (1 - alpha wd) beside Adam's step; the coupled variant adds wd theta to the gradient."""

from fractions import Fraction

from tests.oracles import adam

DEFAULTS = adam.DEFAULTS | {"wd": Fraction(1, 100), "decay": "decoupled"}
initial, point = adam.initial, adam.point


def step(theta, states, g, t, alpha, options):
    options = DEFAULTS | options
    wd, decay = float(options["wd"]), options["decay"]
    rest = {key: value for key, value in options.items() if key not in ("wd", "decay")}
    if decay == "decoupled":
        return adam.step(theta * (1 - alpha * wd), states, g, t, alpha, rest)
    if decay == "coupled":
        return adam.step(theta, states, g + wd * theta, t, alpha, rest)
    raise ValueError(options)
