"""Adagrad: each coordinate divided by the root of the sum of its squared gradients."""

import sympy as sp

from optlab.rules import Dialect, Parameter, Rule, State, alpha, g, symbol, theta

eps, start, v, scale, P = (symbol(name) for name in ("eps", "start", "v", "scale", "P"))

RULE = Rule(
    name="adagrad",
    summary="divide by the size of all gradients so far",
    reference="Duchi, Hazan & Singer, Adaptive subgradient methods for online learning, JMLR 12, 2011",
    parameters={
        eps: Parameter("1e-8", within="[0, oo)", about="keeps the division finite"),
        start: Parameter(0, within="[0, oo)", about="the sum before the first step"),
    },
    state={v: State(init=start)},
    equations=((v, v + g**2), (theta, theta - alpha * g / scale)),
    variants={"eps_placement": {"inside": {scale: sp.sqrt(v + eps)}, "outside": {scale: sp.sqrt(v) + eps}}},
    dialects={
        "torch": Dialect(
            "torch.optim.Adagrad",
            {"lr": alpha, "eps": eps, "initial_accumulator_value": start},
            {"eps_placement": "outside"},
            decay="coupled",
        ),
        "optax": Dialect("optax.adagrad", {"learning_rate": alpha, "eps": eps, "initial_accumulator_value": start}),
        "keras": Dialect(
            "keras.optimizers.Adagrad", {"learning_rate": alpha, "epsilon": eps, "initial_accumulator_value": start}, decay="decoupled"
        ),
    },
    analysis={"frozen": {v: P}},  # the square of the preconditioner is held at P
)  # fmt: skip
