"""RMSProp: each coordinate divided by a running root-mean-square of its gradients."""

import sympy as sp

from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta

beta, eps, v, scale, start, P = (symbol(name) for name in ("beta", "eps", "v", "scale", "start", "P"))

RULE = Rule(
    name="rmsprop",
    summary="divide by the recent size of the gradient",
    reference="Tieleman & Hinton, Lecture 6.5: RMSProp, Neural Networks for Machine Learning, 2012",
    parameters={
        beta: Parameter("9/10", within="[0, 1)", about="memory of the squared gradient"),
        eps: Parameter("1e-8", within="[0, oo)", about="keeps the division finite"),
    },
    state={v: State(init=start)},
    equations=((v, beta * v + (1 - beta) * g**2), (theta, theta - alpha * g / scale)),
    variants={
        "eps_placement": {"inside": {scale: sp.sqrt(v + eps)}, "outside": {scale: sp.sqrt(v) + eps}},
        "first_step": {"zero": {start: sp.Integer(0)}, "one": {start: sp.Integer(1)}},
    },
    dialects={"torch": {"eps_placement": "outside", "beta": "99/100"}},
    analysis={"frozen": {v: P}},  # the square of the preconditioner is held at P
)
