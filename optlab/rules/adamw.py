"""AdamW: Adam with weight decay taken out of the gradient. The coupled variant is Adam with an L2 penalty."""

from optlab.rules import Dialect, Parameter, alpha, g, symbol, theta
from optlab.rules.adam import KERAS, OPTAX, TORCH
from optlab.rules.adam import RULE as ADAM

wd, decayed, gradient = symbol("wd"), symbol("decayed"), symbol("gradient")

RULE = ADAM.extend(
    name="adamw",
    summary="Adam with decoupled weight decay",
    reference="Loshchilov & Hutter, Decoupled weight decay regularization, ICLR 2019, Algorithm 2",
    parameters={**ADAM.declared, wd: Parameter("1/100", within="[0, oo)", about="weight decay")},
    equations=tuple((left, right.xreplace({g: gradient, theta: decayed})) for left, right in ADAM.definition),
    variants={
        **ADAM.variants,
        "decay": {"decoupled": {gradient: g, decayed: theta * (1 - alpha * wd)}, "coupled": {gradient: g + wd * theta, decayed: theta}},
    },
    dialects={
        "torch": Dialect("torch.optim.AdamW", {**TORCH, "weight_decay": wd}, {"eps_placement": "outside"}),
        "optax": Dialect("optax.adamw", {**OPTAX, "weight_decay": wd}, {"eps_placement": "both"}),
        "keras": Dialect("keras.optimizers.AdamW", {**KERAS, "weight_decay": wd}, {"eps_placement": "before_correction"}),
    },
)
