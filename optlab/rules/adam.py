"""Adam: a moving average of the gradient over the root of one of its square, both corrected for their start at zero."""

import sympy as sp

from optlab.rules import Dialect, Parameter, Rule, State, alpha, g, symbol, t, theta

beta1, beta2, eps, m, v = (symbol(name) for name in ("beta1", "beta2", "eps", "m", "v"))
mhat, vhat, mean, square, scale, P = (symbol(name) for name in ("mhat", "vhat", "mean", "square", "scale", "P"))
eps_root = symbol("eps_root")

#: The options of Adam in each library; the rules that start from Adam have them too.
TORCH = {"lr": alpha, "betas": (beta1, beta2), "eps": eps}
OPTAX = {"learning_rate": alpha, "b1": beta1, "b2": beta2, "eps": eps, "eps_root": eps_root}
KERAS = {"learning_rate": alpha, "beta_1": beta1, "beta_2": beta2, "epsilon": eps}

RULE = Rule(
    name="adam",
    summary="momentum and a per-coordinate scale, corrected for their start",
    reference="Kingma & Ba, Adam: a method for stochastic optimization, ICLR 2015, Algorithm 1",
    parameters={
        beta1: Parameter("9/10", within="[0, 1)", about="memory of the gradient"),
        beta2: Parameter("999/1000", within="[0, 1)", about="memory of the squared gradient"),
        eps: Parameter("1e-8", within="[0, oo)", about="keeps the division finite"),
        eps_root: Parameter(0, within="[0, oo)", about="a second eps, inside the root"),
    },
    state={m: State(init=0), v: State(init=0)},
    equations=(
        (m, beta1 * m + (1 - beta1) * g),
        (v, beta2 * v + (1 - beta2) * g**2),
        (mhat, mean),
        (vhat, square),
        (theta, theta - alpha * mhat / scale),
    ),
    variants={
        "eps_placement": {
            "inside": {scale: sp.sqrt(vhat + eps)},
            "outside": {scale: sp.sqrt(vhat) + eps},
            "both": {scale: sp.sqrt(vhat + eps_root) + eps},
            "before_correction": {scale: sp.sqrt(vhat) + eps / sp.sqrt(1 - beta2**t)},  # the paper's eps-hat, beside the root of v itself
        },
        "bias_correction": {"on": {mean: m / (1 - beta1**t), square: v / (1 - beta2**t)}, "off": {mean: m, square: v}},
    },
    dialects={
        "torch": Dialect("torch.optim.Adam", TORCH, {"eps_placement": "outside"}, decay="coupled"),
        "optax": Dialect("optax.adam", OPTAX, {"eps_placement": "both"}),
        "keras": Dialect("keras.optimizers.Adam", KERAS, {"eps_placement": "before_correction"}, decay="decoupled"),
    },
    analysis={"frozen": {vhat: P}},  # the square of the preconditioner is held at P
)
