"""Learning-rate schedules, one per file. ``names()`` lists them, ``get(name, **options)`` gives one. ``t`` counts from 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlab.registry import Registry, late

if TYPE_CHECKING:
    from optlab.dialects import Dialect, option
    from optlab.expressions import Parameter, Schedule
    from optlab.symbols import symbol, time
else:  # what needs SymPy comes when it is asked for
    __getattr__ = late(
        __name__, {"optlab.dialects": "Dialect option", "optlab.expressions": "Parameter Schedule", "optlab.symbols": "symbol time"}
    )

_registry: Registry[Schedule] = Registry(
    "schedule",
    "Schedule",
    "optlab.schedules",
    ["constant", "inverse_sqrt", "inverse_time", "cosine", "warmup_cosine", "one_cycle"],
    "SCHEDULE",
)
names, get, builtin, facts_of = _registry.names, _registry.get, _registry.builtin, _registry.facts_of


def as_schedule(value: Schedule | float | str) -> Schedule:
    """The schedule that an argument means: itself, one by name or call, or the constant one of that number.

    >>> as_schedule(0.1).label()
    'constant(alpha=0.1)'
    """
    if isinstance(value, (str, _registry.type)):
        return get(value)
    return get("constant", alpha=value)


__all__ = ["Dialect", "Parameter", "Schedule", "as_schedule", "builtin", "facts_of", "get", "names", "option", "symbol", "time"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
