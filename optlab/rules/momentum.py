"""Polyak's heavy-ball momentum; the learning rate stands inside the velocity or outside it."""

from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta

beta, v, push, move = symbol("beta"), symbol("v"), symbol("push"), symbol("move")

RULE = Rule(
    name="momentum",
    summary="a velocity that remembers past steps",
    reference="Polyak, Some methods of speeding up the convergence of iteration methods, USSR Comput. Math. 4(5), 1964",
    parameters={beta: Parameter("9/10", within="[0, 1)", about="momentum")},
    state={v: State(init=0)},
    equations=((v, beta * v + push), (theta, theta + move)),
    variants={"learning_rate": {"inside": {push: -alpha * g, move: v}, "outside": {push: g, move: -alpha * v}}},
    dialects={"torch": {"learning_rate": "outside"}},
)
