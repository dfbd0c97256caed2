"""Tables whose features are rarely non-zero, and dense ones of the same curvatures to compare them with."""

from __future__ import annotations

import numpy as np
import sympy as sp
from scipy.special import expit, ndtr

from optlab import problems
from optlab.ensemble.bind import philox_normals
from optlab.ensemble.moments import optimum
from optlab.ensemble.purposes import Purpose
from optlab.objectives import Rows
from optlab.symbols import y as target
from optlab.symbols import z as prediction

KINDS = {
    "rare": "rare features of size 1",
    "scaled": "dense features of size sqrt(p): the same curvatures, nothing rare",
    "standardized": "rare features of size 1/sqrt(p): equal curvatures, still rare",
}


def table(
    kind: str, model: str, *, share: float, rows: int, common: int, rare: int, label_noise: float, seed: int
) -> Rows:  # fmt: skip
    """A problem of ``common`` features that are always there and ``rare`` ones, of a share of non-zero rows (see ``KINDS``).

    Entries are +-size with random signs; a rare feature is non-zero in round(share rows) rows, at least one, drawn at random.
    Coefficients are +-1. The target of ``linear`` is their sum plus label_noise N(0, 1); the label of ``logistic`` is 1 with
    probability 1/(1 + exp(-that sum)). The same seed gives the same signs, rows and coefficients at every share and kind.
    """
    d = common + rare
    draws = philox_normals(rows + 1, 2 * d + 2, seed, Purpose.DATA)
    signs, order = np.sign(draws[:rows, :d]), draws[:rows, d : 2 * d].argsort(0).argsort(0)
    size, present = np.ones(d), np.ones((rows, d), bool)
    if kind == "scaled":
        size[common:] = np.sqrt(share)
    else:
        present[:, common:] = order[:, common:] < max(round(share * rows), 1)
        size[common:] = 1 / np.sqrt(share) if kind == "standardized" else 1.0
    X = np.where(present, signs * size, 0.0)
    total = X @ np.sign(draws[rows, :d])
    label = f"{kind}, share {share:g}"
    if model == "linear":
        return problems.least_squares(X, total + label_noise * draws[:rows, 2 * d], label=label)
    return problems.logistic_regression(X, np.where(ndtr(draws[:rows, 2 * d + 1]) < expit(total), 1.0, -1.0), label=label)


def minimizer(problem: Rows) -> tuple[np.ndarray, float]:
    """The minimizer (d,) and the least loss. A logistic loss is minimized by Newton's method from 0, at most 60 steps."""
    if problem.is_quadratic:
        best, _, least = optimum(problem)
        return best, least
    made = problem.expressions()
    loss, slope, bend = (sp.lambdify((prediction, target), made[name], "numpy") for name in ("loss", "gradient", "curvature"))
    X = np.frombuffer(problem.rows, np.float64).reshape(problem.n, problem.dim)
    y, theta = np.frombuffer(problem.targets, np.float64), np.zeros(problem.dim)
    with np.errstate(over="ignore", invalid="ignore"):  # branches of a Piecewise that are not taken
        for _ in range(60):
            z = X @ theta
            gradient, H = X.T @ slope(z, y) / problem.n, X.T @ (bend(z, y)[:, None] * X) / problem.n
            step = np.linalg.lstsq(H, gradient, rcond=1e-12)[0]
            before, scale = loss(z, y).mean(), 1.0
            while scale > 1e-6 and not loss(X @ (theta - scale * step), y).mean() <= before:
                scale /= 2
            theta = theta - scale * step
            if np.abs(gradient).max() < 1e-12:
                break
        return theta, float(loss(X @ theta, y).mean())
