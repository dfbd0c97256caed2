"""From definitions to arrays: learning rates, per-step scalars, rotations, tables, starts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from optlab.ensemble.layout import padded, squared_error_weight
from optlab.ensemble.philox import fill_normals, stream_key
from optlab.ensemble.plans import rule_plan, schedule_plan
from optlab.ensemble.purposes import Purpose
from optlab.errors import InputError
from optlab.objectives import Problem, Rows, Separable

if TYPE_CHECKING:
    from optlab.expressions import Rule, Schedule


def learning_rates(schedule: Schedule | float | str, steps: int) -> np.ndarray:
    """alpha of every step as float64, shape (steps,). A number means the constant schedule."""
    return schedule_plan(schedule).rates(steps)


def step_table(rule: Rule | str, rates: np.ndarray) -> np.ndarray:
    """Every per-step scalar of the rule, float64, shape (steps, scalars)."""
    return rule_plan(rule).table(rates)


def initial_states(rule: Rule | str) -> np.ndarray:
    """The initial value of each coordinate state, float64."""
    return rule_plan(rule).initial


def philox_normals(rows: int, columns: int, seed: int, purpose: Purpose) -> np.ndarray:
    """An array of N(0, 1) numbers, float64: the row is the first counter word, column // 4 the block."""
    out = np.empty((rows, 4 * ((columns + 3) // 4)))
    fill_normals(out, np.uint64(purpose), *stream_key(seed, None), np.uint64(0))
    return out[:, :columns]


def scattered_starts(first: int, count: int, point: tuple[float, ...], scatter: float, key: tuple[Any, Any], dtype: Any) -> np.ndarray:
    """Starting points of trajectories first .. first + count - 1: point + scatter * N(0, 1); flat, coordinate by coordinate."""
    dim = len(point)
    out = np.empty((count, 4 * ((dim + 3) // 4)))
    fill_normals(out, np.uint64(Purpose.INITIALIZATION), *key, np.uint64(first))
    return np.ascontiguousarray((np.array(point)[:, None] + scatter * out[:, :dim].T).astype(dtype)).ravel()


def rotation_matrix(dim: int, seed: int) -> np.ndarray:
    """A Haar-distributed rotation, float64, shape (dim, dim): the QR factor of a Gaussian matrix (Stewart 1980)."""
    return _rotation(dim, seed).copy()


@lru_cache(maxsize=8)
def _rotation(dim: int, seed: int) -> np.ndarray:
    q, r = np.linalg.qr(philox_normals(dim, dim, seed, Purpose.ROTATION))
    return np.ascontiguousarray(q * np.sign(np.diag(r)))


@dataclass(frozen=True)
class Data:
    """A problem's arrays. Unused ones are empty."""

    curvature: np.ndarray
    matrix: np.ndarray
    targets: np.ndarray

    def cast(self, dtype: Any) -> Data:
        return Data(*(np.ascontiguousarray(a, dtype) for a in (self.curvature, self.matrix, self.targets)))


def problem_data(problem: Problem) -> Data:
    """The arrays of a problem in float64: curvatures (d,), rotation (d, d) or rows (n, d), targets (n,)."""
    none, empty = np.empty(0), np.empty((0, problem.dim))
    if isinstance(problem, Separable):
        matrix = empty if problem.rotation is None else rotation_matrix(problem.dim, problem.rotation)
        return Data(np.array(problem.spectrum), matrix, none)
    if isinstance(problem, Rows):
        return Data(
            none, np.frombuffer(problem.rows, np.float64).reshape(problem.n, problem.dim), np.frombuffer(problem.targets, np.float64)
        )
    return Data(none, empty, none)


@dataclass(frozen=True)
class KernelData:
    """A problem's arrays as the kernels read them: flat, padded, in the working precision. See the templates for their meaning."""

    curvature: np.ndarray
    matrix: np.ndarray
    turn: np.ndarray
    targets: np.ndarray


def kernel_data(problem: Problem, dtype: str) -> KernelData:
    """Curvatures, Hessian and rotation of a quadratic; or a table's rows, its triangular factor and its best fit."""
    data, real = problem_data(problem), np.dtype(dtype)
    none = np.empty(0)
    if isinstance(problem, Rows):
        parts = _table(problem, data, padded(problem, dtype))
    elif len(data.matrix):
        turn = data.matrix
        matrix = turn.T @ (data.curvature[:, None] * turn) if getattr(problem, "is_quadratic", False) else turn.T
        parts = (data.curvature, *(_with_rows(a, -(-problem.dim // 4) * 4) for a in (matrix, turn)), none)
    else:
        parts = (data.curvature, none, none, none)
    with np.errstate(over="ignore"):
        return KernelData(*(np.ascontiguousarray(a, real).ravel() for a in parts))


def _with_rows(matrix: np.ndarray, rows: int) -> np.ndarray:
    return np.vstack([matrix, np.zeros((rows - len(matrix), matrix.shape[1]))])


def _table(problem: Rows, data: Data, width: int) -> tuple[np.ndarray, ...]:
    wide = np.zeros((problem.n, width))
    wide[:, : problem.dim] = data.matrix
    weight = squared_error_weight(problem)
    if weight is None:
        return np.empty(0), wide, np.empty(0), data.targets
    best, factor, least = _fit(problem, data, weight)
    turn = np.zeros((len(factor), width))
    turn[:, : problem.dim] = factor
    return np.concatenate([best, np.zeros(width - problem.dim), [least]]), wide, turn, data.targets


KEPT_FITS = 16  #: tables whose least-squares fit is kept, so that the cells of a sweep fit each once
_fits: dict[tuple[Any, ...], tuple[np.ndarray, np.ndarray, float]] = {}
_one_at_a_time = Lock()


def _fit(problem: Rows, data: Data, weight: float) -> tuple[np.ndarray, np.ndarray, float]:
    """The best fit of a table (d,), the triangular factor of its rows, and the least loss; kept by the fingerprint of the data."""
    numbers = problem.numbers()
    key = (numbers["table"], numbers["n"], numbers["dim"], weight)
    with _one_at_a_time:
        if key not in _fits:
            best = np.linalg.lstsq(data.matrix, data.targets, rcond=None)[0]
            factor: np.ndarray = np.asarray(np.linalg.qr(data.matrix * np.sqrt(weight / problem.n), mode="r"))
            least = weight * np.mean((data.matrix @ best - data.targets) ** 2)
            if len(_fits) >= KEPT_FITS:
                del _fits[next(iter(_fits))]
            _fits[key] = best, factor, least
        return _fits[key]


def hessian(problem: Problem) -> np.ndarray:
    """The Hessian of a problem whose loss is quadratic in theta, float64, shape (d, d)."""
    data = problem_data(problem)
    if isinstance(problem, Separable) and problem.is_quadratic:
        if problem.rotation is None:
            return np.diag(data.curvature)
        return data.matrix.T @ (data.curvature[:, None] * data.matrix)
    raise InputError(f"{problem.label()} has no constant Hessian")
