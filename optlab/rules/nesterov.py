"""Nesterov's accelerated gradient: momentum with the gradient taken where the velocity is about to lead."""

from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta

beta, v = symbol("beta"), symbol("v")

RULE = Rule(
    name="nesterov",
    summary="momentum that looks ahead",
    reference="Nesterov, A method of solving a convex programming problem with convergence rate O(1/k^2), 1983",
    parameters={beta: Parameter("9/10", within="[0, 1)", about="momentum")},
    state={v: State(init=0)},
    gradient_at=theta + beta * v,
    equations=((v, beta * v - alpha * g), (theta, theta + v)),
)
