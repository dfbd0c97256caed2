"""Adadelta: each gradient times the running size of past steps over the running size of past gradients."""

import sympy as sp

from optlab.rules import Dialect, Parameter, Rule, State, alpha, g, symbol, theta

beta, eps, v, d, ratio, P = (symbol(name) for name in ("beta", "eps", "v", "d", "ratio", "P"))

RULE = Rule(
    name="adadelta",
    summary="scale by the sizes of past steps and gradients",
    reference="Zeiler, ADADELTA: an adaptive learning rate method, arXiv:1212.5701, 2012, Algorithm 1",
    parameters={
        beta: Parameter("95/100", within="[0, 1)", about="memory of both squares"),
        eps: Parameter("1e-6", within="[0, oo)", about="size of the first steps; keeps the division finite"),
    },
    state={v: State(init=0), d: State(init=0)},
    equations=(
        (v, beta * v + (1 - beta) * g**2),
        (ratio, sp.sqrt(d + eps) / sp.sqrt(v + eps)),
        (d, beta * d + (1 - beta) * (ratio * g) ** 2),
        (theta, theta - alpha * ratio * g),
    ),
    dialects={
        "torch": Dialect("torch.optim.Adadelta", {"lr": alpha, "rho": beta, "eps": eps}, decay="coupled"),
        "optax": Dialect("optax.adadelta", {"learning_rate": alpha, "rho": beta, "eps": eps}, decay="coupled"),
        "keras": Dialect("keras.optimizers.Adadelta", {"learning_rate": alpha, "rho": beta, "epsilon": eps}, decay="decoupled"),
    },
    analysis={"frozen": {ratio: P}},  # the ratio of the two sizes is held at P
)
