"""AMSGrad: Adam whose scale never shrinks. The paper corrects no start; torch does so after the maximum, optax before it."""

import sympy as sp

from optlab.rules import Dialect, State, symbol, t
from optlab.rules.adam import KERAS, OPTAX, TORCH, beta1, beta2, m, mean, square, v
from optlab.rules.adam import RULE as ADAM

top, candidate = symbol("top"), symbol("candidate")
first, second = 1 - beta1**t, 1 - beta2**t

RULE = ADAM.extend(
    name="amsgrad",
    summary="Adam with a scale that never shrinks",
    reference="Reddi, Kale & Kumar, On the convergence of Adam and beyond, ICLR 2018, Algorithm 2",
    state={**ADAM.state, top: State(init=0)},
    equations=(*ADAM.definition[:2], (top, sp.Max(top, candidate)), *ADAM.definition[2:]),
    variants={
        "eps_placement": ADAM.variants["eps_placement"],
        "bias_correction": {
            "off": {mean: m, candidate: v, square: top},
            "after_max": {mean: m / first, candidate: v, square: top / second},
            "before_max": {mean: m / first, candidate: v / second, square: top},
        },
    },
    dialects={
        "torch": (
            Dialect(
                "torch.optim.Adam", TORCH, {"eps_placement": "outside", "bias_correction": "after_max"}, {"amsgrad": True}, decay="coupled"
            ),
            Dialect(
                "torch.optim.AdamW", TORCH, {"eps_placement": "outside", "bias_correction": "after_max"}, {"amsgrad": True},
                decay="decoupled",
            ),
        ),
        "optax": (
            Dialect("optax.amsgrad", OPTAX, {"eps_placement": "both", "bias_correction": "before_max"}),
            Dialect(
                "optax.amsgrad", OPTAX, {"eps_placement": "both", "bias_correction": "off"},
                {"bias_correction_mu": False, "bias_correction_nu": False},
            ),
        ),
        "keras": Dialect(
            "keras.optimizers.Adam", KERAS, {"eps_placement": "before_correction", "bias_correction": "after_max"}, {"amsgrad": True},
            decay="decoupled",
        ),
    },
)  # fmt: skip
