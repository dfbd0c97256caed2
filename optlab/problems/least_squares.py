"""Least squares on a table of numbers, with real mini-batches of its rows."""

from __future__ import annotations

import math
from array import array
from typing import Any

import sympy as sp

from optlab.errors import InputError, UnknownNameError
from optlab.objectives import Rows, Start, real
from optlab.symbols import y, z

#: Both conventions of the squared error: with the factor 1/2 the Hessian is X'X/n, without it 2 X'X/n.
CONVENTIONS = {"half": sp.Rational(1, 2), "full": sp.Integer(1)}


def squared_error(convention: str) -> sp.Expr:
    """``1/2 (z - y)^2`` for ``"half"``, ``(z - y)^2`` for ``"full"``."""
    if convention not in CONVENTIONS:
        raise UnknownNameError("convention", convention, CONVENTIONS)
    return CONVENTIONS[convention] * (z - y) ** 2


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


def least_squares(
    rows: Any,
    targets: Any,
    *,
    sampling: str = "replacement",
    convention: str = "half",
    noise: float = 0.0,
    theta0: Any = 0.0,
    label: str = "",
) -> Rows:
    """``f = mean_r c (x_r . theta - y_r)^2`` over n rows, c = 1/2 (``convention="half"``) or 1 (``"full"``).

    Parameters
    ----------
    rows, targets
        n rows of d finite numbers and n targets (lists or NumPy arrays). Add a column of ones for an intercept.
    sampling
        ``"replacement"``: rows drawn independently; ``"subset"``: a fresh subset each step, no row twice in it;
        ``"reshuffle"``: epochs over a new permutation, the last batch of an epoch short where B does not divide n.
    theta0
        The start (0 by default).

    Raises InputError for ragged rows, lengths that differ, or numbers that are not finite.

    >>> least_squares([[1.0, 1.0], [2.0, 1.0]], [3.0, 5.0]).n
    2
    """
    try:
        n = len(rows)
        dim = len(rows[0]) if n and not hasattr(rows, "shape") else 0
    except TypeError:
        raise InputError("rows is not a table: give n rows of d numbers, such as [[1.0, 1.0], [2.0, 1.0]]") from None
    if n == 0:
        raise InputError("the table has no rows: least squares needs at least one")
    if hasattr(rows, "shape"):
        shape = rows.shape
        if len(shape) != 2:
            raise InputError(f"rows has shape {tuple(shape)}: least squares needs a table of n rows and d columns")
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
        raise InputError("the rows are empty: least squares needs at least one column")
    options = {"table": label or f"{n}x{dim}", "sampling": sampling} | ({} if convention == "half" else {"convention": convention})
    return Rows(
        name="least_squares", dim=dim, start=Start.read(theta0, dim), noise=real(noise, "noise", low=0), options=options,
        loss=squared_error(convention), rows=flat, targets=numbers(targets, "targets"), sampling=sampling,
    )  # fmt: skip
