"""Logistic regression on a table of numbers and labels, with real mini-batches of its rows."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from optlab.errors import InputError
from optlab.formulas import Formula
from optlab.objectives import NoiseLaw, Rows, Start, noise_options, read_noise
from optlab.problems.tables import table

if TYPE_CHECKING:
    import sympy as sp


def logistic_loss() -> sp.Expr:
    """``log(1 + exp(-y z))``, y = -1 or 1, written so that neither it nor its derivatives overflow or cancel, however large z.

    Each branch has an exponential of at most 1. The derivative ``-y / (1 + exp(y z))`` keeps its relative accuracy,
    the loss its absolute one.
    """
    import sympy as sp

    from optlab.symbols import y, z

    margin = y * z
    return sp.Piecewise((sp.log(1 + sp.exp(-margin)), margin > 0), (sp.log(1 + sp.exp(margin)) - margin, True))


def labels(targets: array[float]) -> array[float]:
    """Labels as -1 and 1, from those or from 0 and 1. Raises InputError naming the first other one."""
    other = next((i for i, value in enumerate(targets) if value not in (-1, 0, 1)), None)
    if other is not None:
        raise InputError(f"targets: entry {other} is {targets[other]:g}: logistic regression needs labels -1 and 1, or 0 and 1")
    if 0 in targets and -1 in targets:
        raise InputError("targets hold -1, and 0 too: logistic regression needs labels -1 and 1, or 0 and 1")
    return array("d", [1.0 if value == 1 else -1.0 for value in targets])


def logistic_regression(
    rows: Any,
    targets: Any,
    *,
    sampling: str = "replacement",
    noise: float = 0.0,
    noise_law: str | NoiseLaw = "gaussian",
    theta0: Any = 0.0,
    label: str = "",
) -> Rows:
    """``f = mean_r log(1 + exp(-y_r x_r . theta))`` over n rows with labels y_r = -1 or 1: convex, and not quadratic.

    It has no minimizer where a hyperplane through the origin separates the labels: the loss then falls to 0 as theta grows.
    Source: Cox, J. R. Stat. Soc. B 20(2), 1958.

    Parameters
    ----------
    rows, targets
        n rows of d finite numbers and n labels, -1 and 1 or 0 and 1 (lists or NumPy arrays). Add a column of ones for an intercept.
    sampling, noise, noise_law, theta0, label
        As in :func:`optlab.problems.least_squares`.

    Raises InputError for ragged rows, lengths that differ, numbers that are not finite, or other labels.

    >>> problem = logistic_regression([[1.0, 1.0], [2.0, 1.0]], [0, 1])
    >>> problem.targets, problem.n
    (array('d', [-1.0, 1.0]), 2)
    """
    flat, read, dim = table(rows, targets, "logistic regression")
    sigma, law = read_noise(noise, noise_law)
    start = Start.read(theta0, dim)
    options = {"table": label or f"{len(read)}x{dim}", "sampling": sampling} | noise_options(sigma, law) | start.option(0.0)
    return Rows(
        name="logistic_regression", dim=dim, start=start, noise=sigma, noise_law=law, options=options,
        loss=Formula(logistic_loss), rows=flat, targets=labels(read), sampling=sampling,
    )  # fmt: skip
