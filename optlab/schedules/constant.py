"""The same learning rate at every step."""

from optlab.schedules import Parameter, Schedule, symbol

alpha = symbol("alpha")

SCHEDULE = Schedule(
    name="constant",
    summary="the same learning rate at every step",
    expression=alpha,
    parameters={alpha: Parameter(within="[0, oo)", about="learning rate")},
)
