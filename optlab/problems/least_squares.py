"""Least squares on a table of numbers, with real mini-batches of its rows."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from optlab.errors import UnknownNameError
from optlab.formulas import Formula
from optlab.objectives import GAUSSIAN, NoiseLaw, Rows, Start, noise_options, read_noise
from optlab.problems.tables import table

if TYPE_CHECKING:
    import sympy as sp

#: Both conventions of the squared error: with the factor 1/2 the Hessian is X'X/n, without it 2 X'X/n.
CONVENTIONS = {"half": Fraction(1, 2), "full": Fraction(1)}


def squared_error(convention: str) -> sp.Expr:
    """``1/2 (z - y)^2`` for ``"half"``, ``(z - y)^2`` for ``"full"``."""
    import sympy as sp

    from optlab.symbols import y, z

    return sp.Rational(CONVENTIONS[convention]) * (z - y) ** 2


def squared_error_formula(convention: str) -> Formula:
    """:func:`squared_error`, written when it is read. Raises UnknownNameError for another convention at once."""
    if convention not in CONVENTIONS:
        raise UnknownNameError("convention", convention, CONVENTIONS)
    return Formula(squared_error, (convention,))


def least_squares(
    rows: Any,
    targets: Any,
    *,
    sampling: str = "replacement",
    convention: str = "half",
    noise: float = 0.0,
    noise_law: str | NoiseLaw = "gaussian",
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
    noise, noise_law
        Gradient noise beside that of the batches: its standard deviation per sample and coordinate, and its law
        (:class:`optlab.objectives.NoiseLaw`).
    theta0
        The start (0 by default).

    Raises InputError for ragged rows, lengths that differ, or numbers that are not finite.

    >>> least_squares([[1.0, 1.0], [2.0, 1.0]], [3.0, 5.0]).n
    2
    """
    flat, read, dim = table(rows, targets, "least squares")
    sigma, law = read_noise(noise, noise_law)
    options = {"table": label or f"{len(read)}x{dim}", "sampling": sampling} | ({} if convention == "half" else {"convention": convention})
    options |= {} if law == GAUSSIAN else noise_options(sigma, law)
    return Rows(
        name="least_squares", dim=dim, start=Start.read(theta0, dim), noise=sigma, noise_law=law, options=options,
        loss=squared_error_formula(convention), rows=flat, targets=read, sampling=sampling,
    )  # fmt: skip
