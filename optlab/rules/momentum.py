"""Polyak's heavy-ball momentum; the learning rate stands inside the velocity or outside it."""

import sympy as sp

from optlab.rules import Dialect, Parameter, Rule, State, alpha, g, symbol, t, theta

beta, damp, v = symbol("beta"), symbol("damp"), symbol("v")
push, move, fed = symbol("push"), symbol("move"), symbol("fed")

RULE = Rule(
    name="momentum",
    summary="a velocity that remembers past steps",
    reference="Polyak, Some methods of speeding up the convergence of iteration methods, USSR Comput. Math. 4(5), 1964",
    parameters={
        beta: Parameter("9/10", within="[0, 1)", about="momentum"),
        damp: Parameter(0, within="[0, 1]", about="share of each gradient after the first that is left out"),
    },
    state={v: State(init=0)},
    equations=((v, beta * v + push), (theta, theta + move)),
    variants={
        "learning_rate": {"inside": {push: -alpha * fed, move: v}, "outside": {push: fed, move: -alpha * v}},
        "dampening": {"none": {fed: g}, "after_first": {fed: sp.Piecewise((g, sp.Eq(t, 1)), ((1 - damp) * g, True))}},
    },
    dialects={
        "torch": Dialect(
            "torch.optim.SGD", {"lr": alpha, "momentum": beta, "dampening": damp},
            {"learning_rate": "outside", "dampening": "after_first"}, decay="coupled", given=("momentum",),
        ),
        "optax": Dialect("optax.sgd", {"learning_rate": alpha, "momentum": beta}, {"learning_rate": "outside"}, given=("momentum",)),
        "keras": Dialect("keras.optimizers.SGD", {"learning_rate": alpha, "momentum": beta}, decay="decoupled", given=("momentum",)),
    },
)  # fmt: skip
