"""Stochastic gradient descent."""

from optlab.rules import Dialect, Rule, alpha, g, theta

RULE = Rule(
    name="sgd",
    summary="step against the gradient",
    reference="Robbins & Monro, A stochastic approximation method, Ann. Math. Statist. 22, 1951",
    equations=((theta, theta - alpha * g),),
    dialects={
        "torch": Dialect("torch.optim.SGD", {"lr": alpha}, decay="coupled"),
        "optax": Dialect("optax.sgd", {"learning_rate": alpha}),
        "keras": Dialect("keras.optimizers.SGD", {"learning_rate": alpha}, decay="decoupled"),
    },
)
