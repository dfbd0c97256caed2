"""AdaBelief: Adam whose scale is the size of the gradient's surprise, its distance from the running mean that it has just moved."""

import sympy as sp

from optlab.rules import Dialect, Parameter, alpha, g, symbol, theta
from optlab.rules.adam import OPTAX, beta1, beta2, eps, eps_root, m, mhat, v, vhat
from optlab.rules.adam import RULE as ADAM

added, t = symbol("added"), symbol("t")

RULE = ADAM.extend(
    name="adabelief",
    summary="Adam that scales by how far gradients lie from their mean",
    reference="Zhuang et al., AdaBelief optimizer: adapting stepsizes by the belief in observed gradients, NeurIPS 2020, Algorithm 2",
    parameters={
        **ADAM.declared,
        eps: Parameter("1e-16", within="[0, oo)", about="keeps the division finite, and is added to the scale's square at every step"),
        eps_root: Parameter("1e-16", within="[0, oo)", about="what is added to the scale's square at every step"),
    },
    equations=(
        (m, beta1 * m + (1 - beta1) * g),
        (v, beta2 * v + (1 - beta2) * (g - m) ** 2 + added),
        (mhat, m / (1 - beta1**t)),
        (vhat, v / (1 - beta2**t)),
        (theta, theta - alpha * mhat / (sp.sqrt(vhat) + eps)),
    ),
    variants={"added": {"eps": {added: eps}, "eps_root": {added: eps_root}}},
    dialects={"optax": Dialect("optax.adabelief", OPTAX, {"added": "eps_root"})},
)
