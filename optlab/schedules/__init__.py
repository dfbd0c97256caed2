"""Learning-rate schedules, one per file. ``names()`` lists them, ``get(name, **options)`` gives one. ``t`` counts from 0."""

from __future__ import annotations

from optlab.expressions import Parameter, Schedule
from optlab.registry import Registry
from optlab.symbols import symbol, time

_registry: Registry[Schedule] = Registry(
    "schedule",
    Schedule,
    "optlab.schedules",
    ["constant", "inverse_sqrt", "inverse_time", "cosine", "warmup_cosine", "one_cycle"],
    "SCHEDULE",
)
names, get, builtin = _registry.names, _registry.get, _registry.builtin


def as_schedule(value: Schedule | float | str) -> Schedule:
    """The schedule that an argument means: itself, one by name or call, or the constant one of that number.

    >>> as_schedule(0.1).label()
    'constant(alpha=0.1)'
    """
    if isinstance(value, (Schedule, str)):
        return get(value)
    return get("constant", alpha=value)


__all__ = ["Parameter", "Schedule", "as_schedule", "builtin", "get", "names", "symbol", "time"]
