"""The numeric side of minimax tuning: a global search, then a smooth program in which the rate is bounded by Jury's conditions.

A spectral radius is not smooth where eigenvalues meet, and the best tuning lies just there. But "every root of p(.; lam) is at
most r" is a set of polynomial inequalities in alpha, the hyper-parameters and r (Jury's conditions of p(r z)), so minimizing r
subject to them is a smooth program, with multipliers that certify its solution. For one and two states the conditions at the
two ends of [mu, L] imply all between: the characteristic polynomial is affine in lam, and the stability triangle is convex.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import sympy as sp
from scipy.ndimage import minimum_filter
from scipy.optimize import minimize, nnls

from optlab.analysis.linear import free_parameters, linear_form
from optlab.analysis.stability import LARGEST, jury_conditions
from optlab.errors import UnsupportedError
from optlab.expressions import Rule
from optlab.symbols import alpha, lam, symbol, z

rate = symbol("r")  #: the factor per step that every mode is held to

#: Points along each axis of the search grid, by the number of unknowns: up to two states, and more (no closed radius).
SIZES, SMALL_SIZES = {1: 1001, 2: 161, 3: 31}, {1: 201, 2: 41, 3: 25}

TINY = 1e-9  #: how near an open end of a parameter's range the search goes


@lru_cache(maxsize=64)
def radius_function(rule: Rule) -> tuple[list[sp.Symbol], Callable[..., np.ndarray]]:
    """The free hyper-parameters, and the spectral radius as a NumPy function of (lam, alpha, *hyper-parameters)."""
    parameters = free_parameters(rule)
    M = linear_form(rule).steady().transition(lam)
    k = M.shape[0]
    entries = sp.lambdify((lam, alpha, *parameters), list(M), "numpy")

    def radius(curvature: Any, rate: Any, *values: Any) -> np.ndarray:
        parts = np.broadcast_arrays(*entries(curvature, rate, *values), np.asarray(curvature) * np.asarray(rate))[:-1]
        matrices = np.stack(parts, axis=-1).reshape(*parts[0].shape, k, k).astype(float)
        finite = np.isfinite(matrices).all((-1, -2))
        out = np.full(finite.shape, np.inf)
        if k == 2:  # closed form: several times quicker than eigvals
            a, b, c, d = (matrices[..., i, j] for i in (0, 1) for j in (0, 1))
            with np.errstate(over="ignore", invalid="ignore"):
                trace, determinant = a + d, a * d - b * c
                disc = trace**2 - 4 * determinant
                real = (np.abs(trace) + np.sqrt(np.maximum(disc, 0))) / 2
                return np.where(finite, np.where(disc < 0, np.sqrt(np.maximum(determinant, 0)), real), np.inf)
        out[finite] = np.abs(np.linalg.eigvals(matrices[finite])).max(-1)
        return out

    return parameters, radius


class Axis:
    """One unknown of the search: its range, and a map from a coordinate in which a uniform grid is fair."""

    def __init__(self, domain: sp.Set) -> None:
        self.low, self.high = float(domain.inf), float(domain.sup)
        self.low_open, self.high_open = bool(domain.left_open), bool(domain.right_open)

    def grid(self, kappa: float, points: int) -> np.ndarray:
        """Values from one end to the other, dense where rates are sensitive: near a finite upper end, near 0 else."""
        if np.isfinite(self.low) and np.isfinite(self.high):
            near = np.r_[np.linspace(1, 0, points // 2, endpoint=False), np.geomspace(1, 1e-2 / kappa, points - points // 2)]
            values = np.unique(self.high - (self.high - self.low) * near)
            return values[1:] if self.low_open else values
        if np.isfinite(self.low):
            return self.low + np.r_[[] if self.low_open else 0.0, np.geomspace(1e-2 / kappa, 1e2 * kappa, points)]
        if np.isfinite(self.high):
            return self.high - np.geomspace(1e-2 / kappa, 1e2 * kappa, points)
        side = np.geomspace(1e-2, 10 * np.sqrt(kappa), points // 2)
        return np.r_[-side[::-1], 0.0, side]

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        gap = TINY if np.isfinite(self.high - self.low) else 0.0
        low = self.low + gap * self.low_open if np.isfinite(self.low) else None
        return low, (self.high - gap * self.high_open if np.isfinite(self.high) else None)


@dataclass(frozen=True)
class Constraint:
    """A polynomial that must not be negative: one of Jury's conditions at one curvature, or the closed end of a range."""

    name: str
    expression: sp.Expr  #: in alpha, the hyper-parameters, r and the curvature's symbol
    curvature: float | None = None  #: where in [mu, L], relative to L; None for a range
    inside: bool = False  #: whether the curvature lies between the ends


@dataclass(frozen=True)
class Point:
    """A candidate: alpha, hyper-parameters and the worst spectral radius there."""

    alpha: float
    values: tuple[float, ...]
    rate: float


class Program:
    """Minimize r subject to Jury's conditions at curvatures in [mu, L], for one rule and numeric mu <= L."""

    def __init__(self, rule: Rule, mu: float, L: float) -> None:
        self.rule, self.mu, self.L = rule, mu, L
        self.parameters, self.radius = radius_function(rule)
        self.axes = [Axis(rule.parameters[p].domain) for p in self.parameters]
        self.states = len(linear_form(rule).states)
        if self.states > LARGEST:
            raise UnsupportedError(f"rule {rule.name} has {self.states} states: minimax tuning is found for up to {LARGEST}")
        self.unknowns = (alpha, *self.parameters)

    @cached_property
    def curvatures(self) -> np.ndarray:
        """Where the worst radius is looked for: the two ends suffice for one and two states."""
        ends = np.array([self.mu, self.L])
        return ends if self.states <= 2 else np.unique(np.r_[np.geomspace(self.mu, self.L, 33), np.linspace(self.mu, self.L, 17)])

    def worst(self, size: float, *values: float) -> float:
        """The largest spectral radius over the curvatures."""
        return float(self.radius(self.curvatures, size, *values).max())

    def scores(self, grid: np.ndarray) -> np.ndarray:
        """The worst radius at every row (alpha, *values) of a grid (from three states on at nine curvatures: a lower estimate)."""
        out, places = np.empty(len(grid)), self.curvatures if self.states <= 2 else np.geomspace(self.mu, self.L, 9)
        for start in range(0, len(grid), 100_000):
            block = grid[start : start + 100_000]
            out[start : start + 100_000] = self.radius(places[None, :], *(column[:, None] for column in block.T)).max(1)
        return out

    def grid(self, points: int) -> np.ndarray:
        """A grid of about ``points`` values along each axis: rows (alpha, *values)."""
        kappa = self.L / self.mu
        sizes = np.geomspace(1e-3 / np.sqrt(kappa), 1e2 * np.sqrt(kappa), points) / self.L
        axes = [sizes, *(axis.grid(kappa, points) for axis in self.axes)]
        return np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")], -1)

    @cached_property
    def conditions(self) -> tuple[sp.Expr, ...]:
        """Jury's conditions of p(r z; lam)."""
        return conditions_of(self.rule)

    @cached_property
    def _everywhere(self) -> tuple[bool, ...]:
        """Whether each condition depends on the curvature, and so is one inequality at each of them."""
        return tuple(condition.has(lam) for condition in self.conditions)

    @cached_property
    def _ends(self) -> tuple[tuple[int, str, sp.Expr, int], ...]:
        """The closed ends of ranges: the parameter's place, which end, where it is, and the sign of what lies inside."""
        out = []
        for position, (parameter, axis) in enumerate(zip(self.parameters, self.axes, strict=True)):
            domain = self.rule.parameters[parameter].domain
            if np.isfinite(axis.low) and not axis.low_open:
                out.append((position, "lower", domain.inf, 1))
            if np.isfinite(axis.high) and not axis.high_open:
                out.append((position, "upper", domain.sup, -1))
        return tuple(out)

    @cached_property
    def constraints(self) -> list[Constraint]:
        """Every inequality of the program, in the order of ``values`` and ``slopes``."""
        names = ["p(r)", "p(-r)", *(f"inner {i + 1}" for i in range(len(self.conditions) - 2))]
        out: list[Constraint] = []
        for name, condition, everywhere in zip(names, self.conditions, self._everywhere, strict=True):
            if not everywhere:
                out.append(Constraint(name, condition))
                continue
            for value in map(float, self.curvatures):
                inside = self.mu < value < self.L
                where = "lam" if inside else "mu" if value == self.mu else "L"
                out.append(Constraint(f"{name} at {where}", condition, value, inside))
        for position, which, end, sign in self._ends:
            parameter = self.parameters[position]
            out.append(Constraint(f"{parameter} at its {which} end", sign * (parameter - end)))
        return out

    def values(self, point: np.ndarray) -> np.ndarray:
        """Every constraint at (alpha, *values, r)."""
        ends = [sign * (point[1 + position] - float(end)) for position, _, end, sign in self._ends]
        return np.r_[self._at_curvatures(functions_of(self.rule)[0], point)[:, 0], ends]

    def slopes(self, point: np.ndarray) -> np.ndarray:
        """The gradient of every constraint with respect to (alpha, *values, r)."""
        ends = [sign * np.eye(len(point))[1 + position] for position, _, _, sign in self._ends]
        return np.vstack([self._at_curvatures(functions_of(self.rule)[1], point), *ends])

    def _at_curvatures(self, function: Callable[..., Any], point: np.ndarray) -> np.ndarray:
        """Every condition at every curvature that it depends on, condition by condition."""
        places = self.curvatures
        table = [[np.broadcast_to(np.asarray(e, float), places.shape) for e in row] for row in function(places, *point)]
        return np.concatenate(
            [np.array(row).T[: len(places) if everywhere else 1] for row, everywhere in zip(table, self._everywhere, strict=True)]
        )

    def polish(self, start: np.ndarray) -> Point | None:
        """Sequential quadratic programming from (alpha, *values); None where it finds nothing below its start.

        A start on several constraints at once may be degenerate: then it starts with room below r, and off the ends of ranges.
        """
        for room in (1e-9, 1e-3, 1e-1):
            point = self._polish(start, room)
            if point is not None:
                return point
        return None

    def _polish(self, start: np.ndarray, room: float) -> Point | None:
        first = self.worst(*start)
        unit = np.array([start[0], *(np.ones(len(self.axes))), 1.0])  # alpha is measured by its start
        bounds = [(1e-9, 1e9), *(axis.bounds for axis in self.axes), (0.0, 10.0)]
        x0 = np.array([1.0, *start[1:], first * (1 + room)])
        x0[1:-1] = self._clipped(x0[1:-1], room / 10)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Values in x were outside bounds", RuntimeWarning)  # by a rounding error (scipy 1.13)
            found = minimize(
                lambda x: x[-1], x0, jac=lambda x: np.eye(len(x))[-1], method="SLSQP", bounds=bounds,
                constraints={"type": "ineq", "fun": lambda x: self.values(x * unit), "jac": lambda x: self.slopes(x * unit) * unit},
                options={"ftol": 1e-16, "maxiter": 200},
            )  # fmt: skip
        x = found.x * unit
        if not np.all(np.isfinite(x)) or x[0] <= 0:
            return None
        x[1:-1] = self._clipped(x[1:-1])  # the solver steps over an end by a rounding error
        reached = self.worst(*x[:-1])
        return Point(float(x[0]), tuple(map(float, x[1:-1])), reached) if reached < first + 1e-12 else None

    def _clipped(self, values: np.ndarray, inside: float = 0.0) -> np.ndarray:
        """The values moved into their ranges, and off the ends of bounded ones by ``inside``."""
        out = []
        for value, (low, high) in zip(values, (axis.bounds for axis in self.axes), strict=True):
            gap = inside if low is not None and high is not None else 0.0
            out.append(np.clip(value, -np.inf if low is None else low + gap, np.inf if high is None else high - gap))
        return np.array(out)

    def solve(self, points: int | None = None, starts: int = 8) -> list[Point]:
        """Local minima, the best first: a grid, then the smooth program from its best and from its other local minima."""
        size = points or (SIZES if self.states <= 2 else SMALL_SIZES).get(len(self.unknowns), 9)
        grid = self.grid(size)
        scores = self.scores(grid)
        shape = [len(np.unique(column)) for column in grid.T]
        table = scores.reshape(shape)
        basins = np.flatnonzero((table == minimum_filter(table, size=3, mode="nearest")).ravel())
        order = np.argsort(scores[basins], kind="stable")
        chosen = [int(index) for index in basins[order][:starts] if np.isfinite(scores[index])]
        found = []
        for index in chosen:
            best = Point(float(grid[index, 0]), tuple(map(float, grid[index, 1:])), float(scores[index]))
            for _ in range(2):
                best = self._better(best)
            found.append(best)
        found.sort(key=lambda p: p.rate)
        for _ in range(40):  # a valley that runs to the end of a range is followed there
            better = self._better(found[0])
            if better.rate > found[0].rate - 1e-13:
                break
            found[0] = better
        return found

    def _better(self, point: Point) -> Point:
        new = self.polish(np.array([point.alpha, *point.values]))
        return new if new is not None and new.rate <= point.rate else point

    def multipliers(self, point: np.ndarray, within: float = 1e-5) -> tuple[dict[int, float], float]:
        """Multipliers m >= 0 of the constraints within a distance of active, with sum m_j grad c_j = grad r, and what is left over.

        Gradients are per unit of relative change of alpha. A remainder of 0 certifies a local minimum to first order.
        """
        unit = np.array([point[0], *np.ones(len(point) - 1)])
        slopes, values = self.slopes(point) * unit, self.values(point)
        norms = np.maximum(np.linalg.norm(slopes, axis=1), 1e-300)
        near = [j for j in np.flatnonzero(values / norms < within) if norms[j] > 1e-12]
        target = np.eye(len(point))[-1]
        if not near:
            return {}, 1.0
        weights, left = nnls((slopes[near] / norms[near, None]).T, target)
        return {int(j): float(w / norms[j]) for j, w in zip(near, weights, strict=True) if w > 1e-9}, float(left)


@lru_cache(maxsize=64)
def conditions_of(rule: Rule) -> tuple[sp.Expr, ...]:
    """Jury's conditions of p(r z; lam) for a rule's characteristic polynomial."""
    M = linear_form(rule).steady().transition(lam)
    return jury_conditions(M.charpoly(z.name).all_coeffs(), rate)


@lru_cache(maxsize=64)
def functions_of(rule: Rule) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The conditions, and their gradients, as NumPy functions of (lam, alpha, *hyper-parameters, r)."""
    unknowns = (alpha, *free_parameters(rule), rate)
    conditions = conditions_of(rule)
    values = sp.lambdify((lam, *unknowns), [[c] for c in conditions], "numpy", cse=True)
    slopes = sp.lambdify((lam, *unknowns), [[sp.diff(c, u) for u in unknowns] for c in conditions], "numpy", cse=True)
    return values, slopes
