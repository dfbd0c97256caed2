"""Huber's regression on a table of numbers: squares near the target, straight lines far from it, with real mini-batches of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optlab.formulas import Formula
from optlab.objectives import GAUSSIAN, NoiseLaw, Rows, Start, noise_options, read_noise, real
from optlab.problems.tables import table

if TYPE_CHECKING:
    import sympy as sp


def huber_loss(width: float) -> sp.Expr:
    """``r^2/2`` for ``|r| <= width``, ``width (|r| - width/2)`` beyond, r = z - y."""
    import sympy as sp

    from optlab.symbols import y, z

    r, turn = z - y, sp.Rational(str(width))
    return sp.Piecewise((turn * (r - turn / 2), r > turn), (-turn * (r + turn / 2), r < -turn), (r**2 / 2, True))


def huber_regression(
    rows: Any,
    targets: Any,
    *,
    width: float = 1.0,
    sampling: str = "replacement",
    noise: float = 0.0,
    noise_law: str | NoiseLaw = "gaussian",
    theta0: Any = 0.0,
    label: str = "",
) -> Rows:
    """``f = mean_r h(x_r . theta - y_r)`` over n rows, h quadratic up to ``width`` and linear beyond: convex, with bounded gradients.

    Source: Huber, Ann. Math. Statist. 35(1), 1964.

    Parameters
    ----------
    rows, targets
        n rows of d finite numbers and n targets (lists or NumPy arrays). Add a column of ones for an intercept.
    width
        The residual at which the loss turns linear, above 0.
    sampling, noise, noise_law, theta0, label
        As in :func:`optlab.problems.least_squares`.

    Raises InputError for ragged rows, lengths that differ, numbers that are not finite, or a width that is not positive.

    >>> problem = huber_regression([[1.0, 1.0], [2.0, 1.0]], [3.0, 50.0], width=2)
    >>> problem.n, problem.dim, problem.is_quadratic
    (2, 2, False)
    """
    flat, read, dim = table(rows, targets, "Huber's regression")
    turn = real(width, "width", low=0, strict=True)
    sigma, law = read_noise(noise, noise_law)
    options = {"table": label or f"{len(read)}x{dim}", "sampling": sampling} | ({} if turn == 1 else {"width": turn})
    start = Start.read(theta0, dim)
    options |= ({} if law == GAUSSIAN and not sigma else noise_options(sigma, law)) | start.option(0.0)
    return Rows(
        name="huber_regression", dim=dim, start=start, noise=sigma, noise_law=law, options=options,
        loss=Formula(huber_loss, (turn,)), rows=flat, targets=read, sampling=sampling,
    )  # fmt: skip
