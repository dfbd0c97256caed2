"""RMSProp with momentum on the scaled gradient; the scale may be the running standard deviation (centered).

The centered form is a difference of two squares: on gradients that hardly vary it loses digits, and rounding may make it negative.
"""

import sympy as sp

from optlab.rules import Dialect, Parameter, State, alpha, g, symbol, theta
from optlab.rules.rmsprop import RULE as RMSPROP
from optlab.rules.rmsprop import beta, eps, scale, v

momentum, b, m = symbol("momentum"), symbol("b"), symbol("m")
spread, push, move = symbol("spread"), symbol("push"), symbol("move")

CENTERED = {"off": {}, "on": {"centered": True}}
EPS = {"inside": {}, "outside": {"eps_in_sqrt": False}}  # optax's own choice
TORCH = tuple(
    Dialect(
        "torch.optim.RMSprop", {"lr": alpha, "alpha": beta, "eps": eps, "momentum": momentum},
        {"eps_placement": "outside", "learning_rate": "outside", "centered": centered}, fixed, decay="coupled", given=("momentum",),
    )
    for centered, fixed in CENTERED.items()
)  # fmt: skip
OPTAX = tuple(
    Dialect(
        "optax.rmsprop", {"learning_rate": alpha, "decay": beta, "eps": eps, "momentum": momentum},
        {"eps_placement": placement, "centered": centered}, {**fixed, **place}, given=("momentum",),
    )
    for placement, place in EPS.items() for centered, fixed in CENTERED.items()
)  # fmt: skip
KERAS = tuple(
    Dialect(
        "keras.optimizers.RMSprop", {"learning_rate": alpha, "rho": beta, "epsilon": eps, "momentum": momentum},
        {"centered": centered}, fixed, decay="decoupled", given=("momentum",),
    )
    for centered, fixed in CENTERED.items()
)  # fmt: skip

RULE = RMSPROP.extend(
    name="rmsprop_momentum",
    summary="momentum over the recent size, or spread, of the gradient",
    reference="Graves, Generating sequences with recurrent neural networks, arXiv:1308.0850, 2013, Eqs. 38-41",
    parameters={
        beta: Parameter("9/10", within="[0, 1)", about="memory of the squared gradient"),
        eps: Parameter("1e-8", within="[0, oo)", about="keeps the division finite"),
        momentum: Parameter("9/10", within="[0, 1)", about="momentum"),
    },
    state={v: State(init=0), m: State(init=0), b: State(init=0)},
    equations=((v, beta * v + (1 - beta) * g**2), (m, beta * m + (1 - beta) * g), (b, momentum * b + push), (theta, theta - move)),
    variants={
        "eps_placement": {"inside": {scale: sp.sqrt(spread + eps)}, "outside": {scale: sp.sqrt(spread) + eps}},
        "centered": {"off": {spread: v}, "on": {spread: v - m**2}},
        "learning_rate": {"inside": {push: alpha * g / scale, move: b}, "outside": {push: g / scale, move: alpha * b}},
    },
    dialects={"torch": TORCH, "optax": OPTAX, "keras": KERAS},
    analysis={"frozen": {v: symbol("P")}},  # the square of the preconditioner is held at P
)
