"""Reading a table of numbers: rows of features and one target each."""

from __future__ import annotations

import math
from array import array
from typing import Any

from optlab.errors import InputError


def numbers(values: Any, what: str) -> array[float]:
    """A flat array of finite doubles from a list or a NumPy array of any shape; InputError naming the first bad one."""
    if hasattr(values, "astype"):  # NumPy without importing it
        flat = array("d")
        try:
            flat.frombytes(values.astype("float64", order="C").tobytes())
        except (TypeError, ValueError):
            raise InputError(f"{what} holds something that is not a number") from None
    else:
        try:
            flat = array("d", values)
        except TypeError:
            raise InputError(f"{what} holds something that is not a number") from None
    for position, value in enumerate(flat):
        if not math.isfinite(value):
            raise InputError(f"{what}: entry {position} is {value}, not a finite number")
    return flat


def table(rows: Any, targets: Any, model: str) -> tuple[array[float], array[float], int]:
    """The rows (n d numbers, row by row), the targets (n) and d. Raises InputError saying what ``model`` needs.

    >>> table([[1.0, 2.0]], [3], "least squares")
    (array('d', [1.0, 2.0]), array('d', [3.0]), 2)
    """
    try:
        n = len(rows)
        dim = len(rows[0]) if n and not hasattr(rows, "shape") else 0
    except TypeError:
        raise InputError("rows is not a table: give n rows of d numbers, such as [[1.0, 1.0], [2.0, 1.0]]") from None
    if n == 0:
        raise InputError(f"the table has no rows: {model} needs at least one")
    if hasattr(rows, "shape"):
        shape = rows.shape
        if len(shape) != 2:
            raise InputError(f"rows has shape {tuple(shape)}: {model} needs a table of n rows and d columns")
        dim, flat = int(shape[1]), numbers(rows, "rows")
    else:
        for i, row in enumerate(rows):
            if len(row) != dim:
                raise InputError(f"row {i} has {len(row)} numbers but row 0 has {dim}: every row needs the same columns")
        flat = numbers([value for row in rows for value in row], "rows")
    if getattr(targets, "ndim", 1) != 1:
        raise InputError(f"targets has shape {tuple(targets.shape)}: give one number per row")
    if len(targets) != n:
        raise InputError(f"there are {n} rows but {len(targets)} targets: give one target per row")
    if dim == 0:
        raise InputError(f"the rows are empty: {model} needs at least one column")
    return flat, numbers(targets, "targets"), dim
