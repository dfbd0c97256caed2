"""Update rules, one per file. ``names()`` lists them, ``get(name, **options)`` gives one.

A rule of your own works everywhere a built-in one does: pass the :class:`Rule` itself, name it
``"mine.py:MINE"``, or let your package declare it under the entry-point group ``optlab.rules``.
"""

from __future__ import annotations

from optlab.expressions import Parameter, Rule, State
from optlab.registry import Registry
from optlab.symbols import alpha, g, lam, symbol, t, theta

_registry: Registry[Rule] = Registry(
    "rule", Rule, "optlab.rules", "sgd momentum nesterov ema_momentum rmsprop adam adamw adagrad nadam amsgrad adamax lion".split(), "RULE"
)
names, get, builtin = _registry.names, _registry.get, _registry.builtin

__all__ = ["Parameter", "Rule", "State", "alpha", "builtin", "g", "get", "lam", "names", "symbol", "t", "theta"]
