"""NAdam: Adam that looks ahead like Nesterov's momentum; its momentum rises from beta1 / 2 to beta1."""

import sympy as sp

from optlab.rules import Dialect, Parameter, State, g, symbol, t
from optlab.rules.adam import KERAS, OPTAX, TORCH, beta1, beta2, m, mean, square, v
from optlab.rules.adam import RULE as ADAM

psi, product, mu_now, mu_next = (symbol(name) for name in ("psi", "product", "mu_now", "mu_next"))
rising = beta1 * (1 - sp.Rational(96, 100) ** (psi * t) / 2)


ahead = mu_next * m / (1 - product * mu_next) + (1 - mu_now) * g / (1 - product)
corrected = v / (1 - beta2**t)

RULE = ADAM.extend(
    name="nadam",
    summary="Adam with momentum that looks ahead",
    reference="Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016",
    parameters={**ADAM.declared, psi: Parameter("4/1000", within="[0, oo)", about="how fast the momentum rises")},
    state={**ADAM.state, product: State(init=1, kind="scalar")},
    equations=((product, product * mu_now), *((left, right.xreplace({mean: ahead, square: corrected})) for left, right in ADAM.definition)),
    variants={
        "eps_placement": ADAM.variants["eps_placement"],
        "momentum": {"rising": {mu_now: rising, mu_next: rising.xreplace({t: t + 1})}, "constant": {mu_now: beta1, mu_next: beta1}},
    },
    dialects={
        "torch": Dialect("torch.optim.NAdam", {**TORCH, "momentum_decay": psi}, {"eps_placement": "outside"}, decay="coupled"),
        "optax": Dialect("optax.nadam", OPTAX, {"eps_placement": "both", "momentum": "constant"}),
        "keras": Dialect("keras.optimizers.Nadam", KERAS, {"eps_placement": "outside"}, decay="decoupled", numbers={psi: 1}),
    },
)
