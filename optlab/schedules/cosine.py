"""Cosine annealing from the peak to the floor over ``steps`` steps, and the floor after that."""

import sympy as sp

from optlab.schedules import Parameter, Schedule, symbol, time

peak, floor, steps = symbol("peak"), symbol("floor"), symbol("steps")


def anneal(high: sp.Expr, low: sp.Expr, position: sp.Expr) -> sp.Expr:
    """Half a cosine from ``high`` at position 0 to ``low`` at position 1 (expressions)."""
    return low + (high - low) * (1 + sp.cos(sp.pi * position)) / 2


SCHEDULE = Schedule(
    name="cosine",
    summary="half a cosine from the peak to the floor",
    reference="Loshchilov & Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017, Eq. 5",
    expression=sp.Piecewise((anneal(peak, floor, time / steps), time < steps), (floor, True)),
    parameters={
        peak: Parameter(within="[0, oo)", about="first learning rate"),
        steps: Parameter(within="[1, oo)", integer=True, about="length"),
        floor: Parameter(0, within="[0, oo)", about="last learning rate"),
    },
)
