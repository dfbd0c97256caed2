"""Learning-rate schedules, one per file. ``names()`` lists them, ``get(name, **options)`` gives one. ``t`` counts from 0."""

from __future__ import annotations

from optlab.expressions import Parameter, Schedule
from optlab.registry import Registry
from optlab.symbols import symbol, time

_registry: Registry[Schedule] = Registry(
    "schedule", Schedule, "optlab.schedules", "constant inverse_sqrt inverse_time cosine warmup_cosine one_cycle".split(), "SCHEDULE"
)
names, get, builtin = _registry.names, _registry.get, _registry.builtin

__all__ = ["Parameter", "Schedule", "builtin", "get", "names", "symbol", "time"]
