"""Nesterov's accelerated gradient: momentum with the gradient taken where the velocity is about to lead.

Libraries keep the point where the gradient is taken as their parameter: the rewritten form.
"""

from optlab.rules import Dialect, Parameter, Rule, State, alpha, g, symbol, theta

beta, v = symbol("beta"), symbol("v")
point, move, push, drift = symbol("point"), symbol("move"), symbol("push"), symbol("drift")

RULE = Rule(
    name="nesterov",
    summary="momentum that looks ahead",
    reference="Nesterov, A method of solving a convex programming problem with convergence rate O(1/k^2), 1983",
    parameters={beta: Parameter("9/10", within="[0, 1)", about="momentum")},
    state={v: State(init=0)},
    gradient_at=point,
    equations=((v, beta * v + push), (theta, theta + move)),
    variants={
        "form": {"look_ahead": {point: theta + beta * drift, move: drift}, "rewritten": {point: theta, move: beta * drift - alpha * g}},
        "learning_rate": {"inside": {push: -alpha * g, drift: v}, "outside": {push: g, drift: -alpha * v}},
    },
    dialects={
        "torch": Dialect(
            "torch.optim.SGD", {"lr": alpha, "momentum": beta}, {"form": "rewritten", "learning_rate": "outside"},
            fixed={"nesterov": True}, decay="coupled", given=("momentum",),
        ),
        "optax": Dialect(
            "optax.sgd", {"learning_rate": alpha, "momentum": beta}, {"form": "rewritten", "learning_rate": "outside"},
            fixed={"nesterov": True}, given=("momentum",),
        ),
        "keras": Dialect(
            "keras.optimizers.SGD", {"learning_rate": alpha, "momentum": beta}, {"form": "rewritten"}, fixed={"nesterov": True},
            decay="decoupled", given=("momentum",),
        ),
    },
)  # fmt: skip
