"""Reading lists, axes and sizes from the command line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from optlab.errors import InputError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def numbers(text: str, option: str, kind: Callable[[str], Any] = float) -> tuple[Any, ...]:
    """Numbers between commas; none for an empty text.

    >>> numbers("0.1,0.01", "--reach"), numbers("", "--reach")
    ((0.1, 0.01), ())
    """
    try:
        return tuple(kind(part) for part in text.split(",")) if text.strip() else ()
    except ValueError:
        raise InputError(f"{option} {text!r} is no list of numbers: write it as 0.1,0.01") from None


def axes_of(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Axes such as ``alpha=0.01,0.1``: numbers where they are numbers, else words.

    >>> axes_of(["beta=0,0.9", "sampling=subset,reshuffle"])
    {'beta': [0, 0.9], 'sampling': ['subset', 'reshuffle']}
    """
    out: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not values.strip() or not name.strip():
            raise InputError(f"--axis {text!r} is no axis: write it as alpha=0.01,0.1")
        if name.strip() in out:
            raise InputError(f"--axis {name.strip()} is given twice: put all its values into one")
        out[name.strip()] = [_value(part.strip()) for part in values.split(",")]
    return out


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def check_output(path: Path, endings: Sequence[str] = (".nc",), option: str = "--out") -> None:
    """Raise InputError where a result and what goes beside it cannot be written: seen before hours of work, not after."""
    if path.suffix not in endings:
        why = ": the result is a netCDF file" if endings == (".nc",) else ""
        raise InputError(f"{option} {path} must end in {', '.join(endings[:-1])}{' or ' if endings[1:] else ''}{endings[-1]}{why}")
    if not path.parent.is_dir():
        raise InputError(f"{option} {path}: there is no folder {str(path.parent)!r}; make it first")
    for each in dict.fromkeys((path, path.with_suffix(".nc"), path.with_suffix(".png"))):
        if each.is_dir():
            raise InputError(f"{option} {path}: {each} is a folder; name another file")


def size_of(text: str) -> float:
    """Bytes from ``"500MB"``, ``"2GB"`` or a plain number.

    >>> size_of("500MB"), size_of("2 GB")
    (500000000.0, 2000000000.0)
    """
    plain = text.strip().upper()
    digits = plain.rstrip("KMGTB")
    try:
        size = float(digits) * _UNITS[plain[len(digits) :].strip()]
    except (ValueError, KeyError):
        raise InputError(f"--memory {text!r} is no size: write it as 500MB or 2GB") from None
    if not 0 < size < math.inf:
        raise InputError(f"--memory {text!r} must be a positive size: write it as 500MB or 2GB")
    return size
