"""a / sqrt(t + 1): the schedule of the 1/sqrt(T) rate for convex objectives."""

import sympy as sp

from optlab.schedules import Parameter, Schedule, symbol, time

a = symbol("a")

SCHEDULE = Schedule(
    name="inverse_sqrt",
    summary="decays like one over the square root of the step",
    reference="Nemirovski, Juditsky, Lan & Shapiro, Robust stochastic approximation, SIAM J. Optim. 19(4), 2009",
    expression=a / sp.sqrt(time + 1),
    parameters={a: Parameter(within="[0, oo)", about="first learning rate")},
)
