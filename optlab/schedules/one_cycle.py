"""One cycle: base to peak over the first part, peak to base/100 over the rest, both by half cosines.

The peak is reached at step rise * (steps - 1) and base/100 at the last step, steps - 1.
"""

import sympy as sp

from optlab.schedules import Parameter, Schedule, symbol, time
from optlab.schedules.cosine import anneal

base, peak, steps, rise = symbol("base"), symbol("peak"), symbol("steps"), symbol("rise")
last = steps - 1
top = rise * last

SCHEDULE = Schedule(
    name="one_cycle",
    summary="up once, down once, and a small rate at the end",
    reference="Smith & Topin, Super-convergence, arXiv:1708.07120, 2017",
    expression=sp.Piecewise(
        (anneal(base, peak, time / top), time < top),
        (anneal(peak, base / 100, (time - top) / (last - top)), time < last),
        (base / 100, True),
    ),
    parameters={
        base: Parameter(within="[0, oo)", about="first learning rate"),
        peak: Parameter(within="[0, oo)", about="largest learning rate"),
        steps: Parameter(within="[2, oo)", integer=True, about="length"),
        rise: Parameter("3/10", within="(0, 1)", about="fraction of the steps spent rising"),
    },
)
