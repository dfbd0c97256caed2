"""Linear warmup over ``warmup`` steps (the first step takes peak/warmup), then cosine annealing to the floor at ``steps``."""

import sympy as sp

from optlab.schedules import Parameter, Schedule, symbol, time
from optlab.schedules.cosine import SCHEDULE as COSINE
from optlab.schedules.cosine import anneal, floor, peak, steps

warmup = symbol("warmup")

SCHEDULE = Schedule(
    name="warmup_cosine",
    summary="a straight rise, then half a cosine down",
    reference="Goyal et al., Accurate, large minibatch SGD, arXiv:1706.02677, 2017 (warmup); Loshchilov & Hutter, ICLR 2017 (cosine)",
    expression=sp.Piecewise(
        (peak * (time + 1) / warmup, time < warmup), (anneal(peak, floor, (time - warmup) / (steps - warmup)), time < steps), (floor, True)
    ),
    parameters={**COSINE.parameters, warmup: Parameter(within="[0, oo)", integer=True, about="steps of the rise")},
)
