"""Momentum as an exponential moving average of gradients (momentum with dampening = beta)."""

import sympy as sp

from optlab.rules import Dialect, Parameter, Rule, State, alpha, g, symbol, t, theta

beta, m, average = symbol("beta"), symbol("m"), symbol("average")
moving = beta * m + (1 - beta) * g

RULE = Rule(
    name="ema_momentum",
    summary="step along an average of past gradients",
    reference="Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013",
    parameters={beta: Parameter("9/10", within="[0, 1)", about="memory of the average")},
    state={m: State(init=0)},
    equations=((m, average), (theta, theta - alpha * m)),
    variants={"first_step": {"zero": {average: moving}, "gradient": {average: sp.Piecewise((g, sp.Eq(t, 1)), (moving, True))}}},
    dialects={
        "torch": Dialect(
            "torch.optim.SGD",
            {"lr": alpha, "momentum": beta, "dampening": beta},
            {"first_step": "gradient"},
            decay="coupled",
            given=("momentum", "dampening"),
        )
    },
)
