"""The same learning rate at every step."""

from optlab.schedules import Dialect, Parameter, Schedule, option, symbol

alpha = symbol("alpha")

SCHEDULE = Schedule(
    name="constant",
    summary="the same learning rate at every step",
    expression=alpha,
    parameters={alpha: Parameter(within="[0, oo)", about="learning rate")},
    dialects={"optax": Dialect("optax.constant_schedule", {}, expression=option("value"))},
)
