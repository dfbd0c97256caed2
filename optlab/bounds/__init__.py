"""Convergence bounds as records: the expression, what it assumes, where it is proved. ``names()`` lists them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from optlab.bounds.record import CLASSES, MEANINGS, QUANTITIES, Bound, Obligation, T, distance2, gap, trace
from optlab.errors import UnknownNameError

_NAMES = (
    "gradient_descent",
    "gradient_descent_strongly_convex",
    "heavy_ball",
    "heavy_ball_strongly_convex",
    "nesterov_convex",
    "nesterov_strongly_convex",
    "fixed_step_sgd",
    "strongly_convex_sgd",
    "averaged_strongly_convex_sgd",
    "convex_sgd",
    "convex_sgd_last_iterate",
    "smooth_sgd",
    "polyak_ruppert",
    "saddle_escape",
    "saddle_escape_probability",
    "perturbed_gradient_descent",
)


def names() -> list[str]:
    """The bounds that ``get`` knows: without noise, with noise, away from saddles."""
    return list(_NAMES)


def get(name: str) -> Bound:
    """The bound of this name. Raises UnknownNameError.

    >>> get("gradient_descent").expression
    distance2/(4*T*alpha + 2/L)
    """
    if name not in _NAMES:
        raise UnknownNameError("bound", name, _NAMES)
    found: Any = import_module(f"optlab.bounds.{name}").BOUND
    return found


def builtin() -> list[Bound]:
    """Every bound, in the order of ``names()``."""
    return [get(name) for name in _NAMES]


__all__ = ["CLASSES", "MEANINGS", "QUANTITIES", "Bound", "Obligation", "T", "builtin", "distance2", "gap", "get", "names", "trace"]
