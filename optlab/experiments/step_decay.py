"""The step schedule: a tenth of the learning rate after half of the steps, and a tenth of that after three quarters.

A record of these experiments, without dialects: the libraries' step schedules take their milestones as lists. It is used like any record.

>>> [float(STEP_DECAY.with_(peak=1, steps=8).at(t)) for t in (0, 3, 4, 5, 6)]
[1.0, 1.0, 0.1, 0.1, 0.01]
"""

from __future__ import annotations

import sympy as sp

from optlab.schedules import Parameter, Schedule, symbol, time

peak, steps = symbol("peak"), symbol("steps")

STEP_DECAY = Schedule(
    name="step_decay",
    summary="a tenth at half of the steps, a hundredth at three quarters",
    reference="He, Zhang, Ren & Sun, Deep residual learning for image recognition, CVPR 2016, section 4.2: 32k and 48k of 64k steps",
    expression=sp.Piecewise((peak, 2 * time < steps), (peak / 10, 4 * time < 3 * steps), (peak / 100, True)),
    parameters={
        peak: Parameter(within="[0, oo)", about="first learning rate"),
        steps: Parameter(within="[1, oo)", integer=True, about="length"),
    },
)

__all__ = ["STEP_DECAY"]
