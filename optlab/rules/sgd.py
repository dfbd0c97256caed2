"""Stochastic gradient descent."""

from optlab.rules import Rule, alpha, g, theta

RULE = Rule(
    name="sgd",
    summary="step against the gradient",
    reference="Robbins & Monro, A stochastic approximation method, Ann. Math. Statist. 22, 1951",
    equations=((theta, theta - alpha * g),),
)
