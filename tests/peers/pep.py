"""Worst cases of momentum methods by semidefinite programming, through PEPit. Written by hand; imports nothing of optlab."""

from collections.abc import Callable


def by_pepit(functions, mu, L, alpha, beta, steps, *, start, measure, nesterov=False):
    """The worst value that PEPit certifies for x <- x + v, v <- beta_n v - alpha grad f(x or, for Nesterov, x + beta_n v).

    ``functions``: convex, strongly_convex or quadratic. ``start``: what is at most 1 at the start (gap, distance2, or gap +
    mu/2 distance2). ``measure``: gap or distance2 after the steps. ``beta`` is a number or a function of the step from 1.
    """
    from PEPit import PEP
    from PEPit.functions import SmoothConvexFunction, SmoothStronglyConvexFunction, SmoothStronglyConvexQuadraticFunction

    problem = PEP()
    if functions == "convex":
        f = problem.declare_function(SmoothConvexFunction, L=L)
    else:
        kind = SmoothStronglyConvexQuadraticFunction if functions == "quadratic" else SmoothStronglyConvexFunction
        f = problem.declare_function(kind, mu=mu, L=L)
    best = f.stationary_point()
    x = first = problem.set_initial_point()
    starts = {"gap": lambda: f(first) - f(best), "distance2": lambda: (first - best) ** 2}
    starts["both"] = lambda: starts["gap"]() + mu / 2 * starts["distance2"]()
    problem.set_initial_condition(starts[start]() <= 1)
    v = 0 * x
    for number in range(1, steps + 1):
        momentum = beta(number) if isinstance(beta, Callable) else beta
        v = momentum * v - alpha * f.gradient(x + momentum * v if nesterov else x)
        x = x + v
    problem.set_performance_metric(f(x) - f(best) if measure == "gap" else (x - best) ** 2)
    return float(problem.solve(verbose=0))
