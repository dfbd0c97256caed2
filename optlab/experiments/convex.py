"""Convex problems over the rows of a table for experiments: drawn tables, the minimum to rounding, and the constants that bounds take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy as sp
from scipy.linalg import lstsq

from optlab import problems
from optlab.ensemble.bind import philox_normals, problem_data
from optlab.ensemble.purposes import Purpose
from optlab.errors import UnsupportedError
from optlab.objectives import Problem, Rows, Separable
from optlab.symbols import y, z

KINDS = {
    "quadratic": "strongly convex", "least_squares": "strongly convex", "logistic": "convex", "huber": "convex",
}  # fmt: skip
OUTLIERS = 10  #: one target in so many of the Huber table is far off
FAR = 200.0  #: predictions between -FAR and FAR are looked at for the largest slope and curvature of a row's loss


@dataclass(frozen=True)
class Constants:
    """What bounds need to know: curvatures, the start's distances, and the total variance of a gradient of one row."""

    minimum: float
    mu: float  #: the least curvature: of the whole problem where it is strongly convex, else at the minimizer
    L: float
    gap: float
    distance2: float
    trace: float | None  #: at most this, anywhere; None where it is not bounded


def drawn(kind: str, rows: int, dim: int, seed: int, *, condition_number: float, noise: float) -> Problem:
    """The problem of one of :data:`KINDS`: a table of normal features with an intercept, or a quadratic with additive noise."""
    if kind == "quadratic":
        return problems.quadratic(condition_number=condition_number, dim=dim, noise=noise)
    normals = philox_normals(rows, dim + 2, seed, Purpose.DATA)
    features = np.hstack([normals[:, : dim - 1], np.ones((rows, 1))])
    predictions = features @ np.linspace(1, -1, dim)
    if kind == "logistic":  # labels by the sign of a noisy prediction: no hyperplane separates them
        return problems.logistic_regression(features, np.where(predictions + 1.7 * normals[:, dim] > 0, 1, -1), label=f"{rows}x{dim}")
    targets = predictions + 0.5 * normals[:, dim]
    if kind == "least_squares":
        return problems.least_squares(features, targets, label=f"{rows}x{dim}")
    targets[::OUTLIERS] += 20 * normals[::OUTLIERS, dim + 1]
    return problems.huber_regression(features, targets, label=f"{rows}x{dim}")


def constants(problem: Problem) -> Constants:
    """Minimum, curvatures and noise of a quadratic with additive noise or of a table.

    Raises UnsupportedError where Newton's method finds no minimizer: the rows are separated, say.
    """
    start = np.array(problem.start.point)
    if isinstance(problem, Separable):
        curvature = np.array(problem.spectrum)
        gap = float(curvature @ start**2 / 2)
        return Constants(0.0, float(curvature.min()), float(curvature.max()), gap, float(start @ start), problem.dim * problem.noise**2)
    assert isinstance(problem, Rows)
    data, formulas = problem_data(problem), problem.expressions()
    loss, slope, bend = (sp.lambdify((z, y), formulas[role], "numpy") for role in ("loss", "gradient", "curvature"))

    def curvature_at(theta: np.ndarray) -> np.ndarray:
        weights = np.broadcast_to(bend(data.matrix @ theta, data.targets), len(data.targets))
        return (data.matrix * weights[:, None]).T @ data.matrix / problem.n

    def gradient_at(theta: np.ndarray) -> np.ndarray:
        return data.matrix.T @ slope(data.matrix @ theta, data.targets) / problem.n

    def loss_at(theta: np.ndarray) -> float:
        return float(np.mean(loss(data.matrix @ theta, data.targets)))

    with np.errstate(over="ignore"):  # the branch of a Piecewise that is not taken
        best = _newton(start, loss_at, gradient_at, curvature_at)
        range_ = np.linspace(-FAR, FAR, 40_001)
        pairs = [(range_, np.full_like(range_, target)) for target in np.unique(data.targets)[:: max(1, problem.n // 16)]]
        steepest, bent = (max(float(np.max(np.abs(f(*pair)))) for pair in pairs) for f in (slope, bend))
        far = problem.is_quadratic  # slopes grow without limit
        largest = float(np.linalg.eigvalsh(data.matrix.T @ data.matrix / problem.n).max())
        power = float(np.mean(np.sum(data.matrix**2, 1)))
        return Constants(
            loss_at(best), float(np.linalg.eigvalsh(curvature_at(best)).min()), bent * largest, loss_at(start) - loss_at(best),
            float(np.sum((start - best) ** 2)), None if far else steepest**2 * power,
        )  # fmt: skip


def _newton(theta, loss_at, gradient_at, curvature_at) -> np.ndarray:  # type: ignore[no-untyped-def]
    """The minimizer, by Newton's method with halved steps."""
    for _ in range(200):
        gradient = gradient_at(theta)
        if np.max(np.abs(gradient)) < 1e-14:
            return theta
        step, size = lstsq(curvature_at(theta) + 1e-12 * np.eye(len(theta)), gradient)[0], 1.0
        while loss_at(theta - size * step) > loss_at(theta) and size > 1e-9:
            size /= 2
        theta = theta - size * step
    if np.max(np.abs(gradient_at(theta))) < 1e-9:
        return theta
    raise UnsupportedError("the table's loss has no minimizer that Newton's method finds: a hyperplane may separate its labels")
