"""Adamax: Adam with the largest recent gradient in place of the root mean square."""

import sympy as sp

from optlab.rules import Dialect, Parameter, Rule, State, alpha, g, symbol, t, theta

beta1, beta2, eps, m, u, P = (symbol(name) for name in ("beta1", "beta2", "eps", "m", "u", "P"))
mhat, size, scale = symbol("mhat"), symbol("size"), symbol("scale")

RULE = Rule(
    name="adamax",
    summary="momentum over the largest recent gradient",
    reference="Kingma & Ba, Adam: a method for stochastic optimization, ICLR 2015, Algorithm 2",
    parameters={
        beta1: Parameter("9/10", within="[0, 1)", about="memory of the gradient"),
        beta2: Parameter("999/1000", within="[0, 1)", about="memory of the largest gradient"),
        eps: Parameter("1e-8", within="[0, oo)", about="keeps the division finite"),
    },
    state={m: State(init=0), u: State(init=0)},
    equations=(
        (m, beta1 * m + (1 - beta1) * g),
        (u, sp.Max(beta2 * u, size)),
        (mhat, m / (1 - beta1**t)),
        (theta, theta - alpha * mhat / scale),
    ),
    variants={"eps_placement": {"inside": {size: abs(g) + eps, scale: u}, "outside": {size: abs(g), scale: u + eps}}},
    dialects={
        "torch": Dialect("torch.optim.Adamax", {"lr": alpha, "betas": (beta1, beta2), "eps": eps}, decay="coupled"),
        "optax": Dialect("optax.adamax", {"learning_rate": alpha, "b1": beta1, "b2": beta2, "eps": eps}),
        "keras": Dialect(
            "keras.optimizers.Adamax", {"learning_rate": alpha, "beta_1": beta1, "beta_2": beta2, "epsilon": eps},
            {"eps_placement": "outside"}, decay="decoupled",
        ),
    },
    analysis={"frozen": {u: sp.sqrt(P)}},  # the square of the preconditioner is held at P
)  # fmt: skip
