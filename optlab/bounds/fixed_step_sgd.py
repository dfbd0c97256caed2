"""SGD with a constant step on a strongly convex objective: linear to a floor."""

from optlab.bounds import Bound, T, gap, trace
from optlab.symbols import L, alpha, mu

floor = alpha * L * trace / (2 * mu)

BOUND = Bound(
    name="fixed_step_sgd",
    expression=floor + (1 - alpha * mu) ** T * (gap - floor),
    measures="E f(theta_T) - f*",
    assumptions=("f is mu-strongly convex and L-smooth", "unbiased gradients of total variance at most trace"),
    conditions=(alpha <= 1 / L,),
    schedule="constant",
    tight=False,
    reference="Bottou, Curtis & Nocedal, SIAM Rev. 60(2), 2018, Theorem 4.6",
)
