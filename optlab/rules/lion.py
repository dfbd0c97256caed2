"""Lion: a step of one size along the sign of an interpolated momentum, with decoupled weight decay."""

import sympy as sp

from optlab.rules import Dialect, Parameter, Rule, State, alpha, g, symbol, theta

beta1, beta2, wd, m, c = (symbol(name) for name in ("beta1", "beta2", "wd", "m", "c"))

RULE = Rule(
    name="lion",
    summary="step by the sign of a momentum",
    reference="Chen et al., Symbolic discovery of optimization algorithms, NeurIPS 2023, Algorithm 2",
    parameters={
        beta1: Parameter("9/10", within="[0, 1)", about="memory of the gradient in this step"),
        beta2: Parameter("99/100", within="[0, 1)", about="memory of the gradient that is kept"),
        wd: Parameter(0, within="[0, oo)", about="weight decay"),
    },
    state={m: State(init=0)},
    equations=((c, beta1 * m + (1 - beta1) * g), (theta, theta - alpha * (sp.sign(c) + wd * theta)), (m, beta2 * m + (1 - beta2) * g)),
    dialects={
        "optax": Dialect("optax.lion", {"learning_rate": alpha, "b1": beta1, "b2": beta2, "weight_decay": wd}),
        "keras": Dialect("keras.optimizers.Lion", {"learning_rate": alpha, "beta_1": beta1, "beta_2": beta2, "weight_decay": wd}),
    },
    analysis={"frozen": {}},  # the sign is not linearized
)
