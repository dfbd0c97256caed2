"""AMSGrad: Adam whose scale never shrinks. The paper corrects no start; torch does so after the maximum, optax before it."""

import sympy as sp

from optlab.rules import State, symbol, t
from optlab.rules.adam import RULE as ADAM
from optlab.rules.adam import beta1, beta2, m, mean, square, v

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
        "torch": {"eps_placement": "outside", "bias_correction": "after_max"},
        "optax": {"eps_placement": "outside", "bias_correction": "before_max"},
    },
)
