"""Update rules, one per file. ``names()`` lists them, ``get(name, **options)`` gives one.

A rule of your own works everywhere a built-in one does: pass the :class:`Rule` itself, name it
``"mine.py:MINE"``, or let your package declare it under the entry-point group ``optlab.rules``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlab.registry import Registry, late

if TYPE_CHECKING:
    from optlab.dialects import Dialect
    from optlab.expressions import Parameter, Rule, State
    from optlab.symbols import alpha, g, lam, symbol, t, theta
else:  # what needs SymPy comes when it is asked for
    __getattr__ = late(
        __name__,
        {"optlab.dialects": "Dialect", "optlab.expressions": "Parameter Rule State", "optlab.symbols": "alpha g lam symbol t theta"},
    )

_registry: Registry[Rule] = Registry(
    "rule",
    "Rule",
    "optlab.rules",
    "sgd momentum nesterov ema_momentum rmsprop adam adamw adagrad nadam amsgrad adamax lion adadelta rmsprop_momentum adabelief".split(),
    "RULE",
)
names, get, builtin, facts_of = _registry.names, _registry.get, _registry.builtin, _registry.facts_of

__all__ = ["Dialect", "Parameter", "Rule", "State", "alpha", "builtin", "facts_of", "g", "get", "lam", "names", "symbol", "t", "theta"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
