"""Normalization layers, one per file. ``names()`` lists them, ``get(name)`` gives one."""

from __future__ import annotations

from optlab.errors import InputError, UnknownNameError
from optlab.norms.batch_norm import NORM as BATCH_NORM
from optlab.norms.layer_norm import NORM as LAYER_NORM
from optlab.norms.record import Norm
from optlab.norms.rms_norm import NORM as RMS_NORM

_NORMS = {norm.name: norm for norm in (BATCH_NORM, LAYER_NORM, RMS_NORM)}


def names() -> list[str]:
    """The names that ``get`` knows."""
    return list(_NORMS)


def get(name: str | Norm) -> Norm:
    """The norm of this name; a norm itself passes through. Raises UnknownNameError.

    >>> get("rms_norm").forward
    gamma*x/sqrt(eps + ms)
    """
    if isinstance(name, Norm):
        return name
    if not isinstance(name, str):
        raise InputError(f"{name!r} is no norm: give a name such as 'layer_norm'")
    if name not in _NORMS:
        raise UnknownNameError("norm", name, _NORMS)
    return _NORMS[name]


__all__ = ["Norm", "get", "names"]
