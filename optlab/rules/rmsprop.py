"""RMSProp: each coordinate divided by a running root-mean-square of its gradients."""

import sympy as sp

from optlab.rules import Dialect, Parameter, Rule, State, alpha, g, symbol, t, theta

beta, eps, v, scale, start, P = (symbol(name) for name in ("beta", "eps", "v", "scale", "start", "P"))
initial, square = symbol("initial"), symbol("square")
options = {"learning_rate": alpha, "decay": beta, "eps": eps, "initial_scale": initial}

RULE = Rule(
    name="rmsprop",
    summary="divide by the recent size of the gradient",
    reference="Tieleman & Hinton, Lecture 6.5: RMSProp, Neural Networks for Machine Learning, 2012",
    parameters={
        beta: Parameter("9/10", within="[0, 1)", about="memory of the squared gradient"),
        eps: Parameter("1e-8", within="[0, oo)", about="keeps the division finite"),
        initial: Parameter(0, within="[0, oo)", about="the mean square before the first step"),
    },
    state={v: State(init=start)},
    equations=((v, beta * v + (1 - beta) * g**2), (theta, theta - alpha * g / scale)),
    variants={
        "eps_placement": {"inside": {scale: sp.sqrt(square + eps)}, "outside": {scale: sp.sqrt(square) + eps}},
        "first_step": {"zero": {start: sp.Integer(0)}, "one": {start: sp.Integer(1)}, "given": {start: initial}},
        "bias_correction": {"off": {square: v}, "on": {square: v / (1 - beta**t)}},
    },
    dialects={
        "torch": Dialect("torch.optim.RMSprop", {"lr": alpha, "alpha": beta, "eps": eps}, {"eps_placement": "outside"}, decay="coupled"),
        "optax": (
            Dialect("optax.rmsprop", options, {"first_step": "given"}),
            Dialect("optax.rmsprop", options, {"first_step": "given", "eps_placement": "outside"}, {"eps_in_sqrt": False}),
            Dialect("optax.rmsprop", options, {"first_step": "given", "bias_correction": "on"}, {"bias_correction": True}),
            Dialect(
                "optax.rmsprop", options, {"first_step": "given", "bias_correction": "on", "eps_placement": "outside"},
                {"bias_correction": True, "eps_in_sqrt": False},
            ),
        ),
        "keras": Dialect(
            "keras.optimizers.RMSprop", {"learning_rate": alpha, "rho": beta, "epsilon": eps}, decay="decoupled"
        ),
    },
    analysis={"frozen": {v: P}},  # the square of the preconditioner is held at P
)  # fmt: skip
