"""From definitions to arrays: learning rates, per-step scalars, rotations, tables, starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from optlab import schedules
from optlab.codegen.rules import constants_of, lowered
from optlab.ensemble.kernel import schedule_module, table_module
from optlab.ensemble.philox import philox, stream_key
from optlab.ensemble.purposes import Purpose
from optlab.errors import InputError
from optlab.expressions import Rule, Schedule
from optlab.objectives import Problem, Rows, Separable

_TINY = 2.0**-32


def learning_rates(schedule: Schedule | float | str, steps: int) -> np.ndarray:
    """alpha of every step as float64, shape (steps,). A number means the constant schedule."""
    schedule = schedules.as_schedule(schedule)
    parameters = np.array([float(value) for value in schedule.values.values()], np.float64)
    rates = np.empty(steps, np.float64)
    schedule_module(schedule.with_()).fill_rates(parameters, rates)
    if not np.all(np.isfinite(rates)) or (steps and rates.min() < 0):
        bad = int(np.flatnonzero(~np.isfinite(rates) | (rates < 0))[0])
        raise InputError(f"schedule {schedule.label()} gives the learning rate {rates[bad]} at step {bad}: it must be finite and >= 0")
    return rates


def step_table(rule: Rule, rates: np.ndarray) -> np.ndarray:
    """Every per-step scalar of the rule, float64, shape (steps, scalars)."""
    low = lowered(rule)
    values = rule.values
    carried = np.array([float(start.xreplace(values)) for start in low.carried.values()], np.float64)
    table = np.empty((len(rates), len(low.step_values)), np.float64)
    table_module(rule.unbound()).fill_table(rates, np.array(constants_of(rule), np.float64), carried, table)
    return table


def initial_states(rule: Rule) -> np.ndarray:
    """The initial value of each coordinate state, float64."""
    values = rule.values
    return np.array([float(sp.N(rule.initial[key].xreplace(values), 30)) for key in rule.coordinate_states], np.float64)


def philox_normals(rows: int, columns: int, seed: int, purpose: Purpose) -> np.ndarray:
    """An array of N(0, 1) numbers, float64: row = first counter word, column // 4 = third."""
    key = stream_key(seed, None)
    blocks = (columns + 3) // 4
    out = np.empty((rows, 4 * blocks))
    for i in range(rows):
        for block in range(blocks):
            words = philox(np.uint32(i), np.uint32(0), np.uint32(block), np.uint32(purpose), *key)
            u = (np.array([int(word) for word in words], np.float64) + 0.5) * _TINY
            radius, angle = np.sqrt(-2 * np.log(u[::2])), 2 * np.pi * u[1::2]
            out[i, 4 * block : 4 * block + 4] = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()
    return out[:, :columns]


def rotation_matrix(dim: int, seed: int) -> np.ndarray:
    """A Haar-distributed rotation, float64, shape (dim, dim): the QR factor of a Gaussian matrix (Stewart 1980)."""
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


def hessian(problem: Problem) -> np.ndarray:
    """The Hessian of a problem whose loss is quadratic in theta, float64, shape (d, d)."""
    data = problem_data(problem)
    if isinstance(problem, Separable) and problem.is_quadratic:
        if problem.rotation is None:
            return np.diag(data.curvature)
        return data.matrix.T @ (data.curvature[:, None] * data.matrix)
    raise InputError(f"{problem.label()} has no constant Hessian")
