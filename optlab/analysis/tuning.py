"""The step size and momentum that minimize the worst rate over curvatures in [mu, L], found numerically."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from scipy.optimize import minimize

from optlab import rules
from optlab.analysis.linear import free_parameters, linear_form
from optlab.errors import InputError, UnsupportedError
from optlab.expressions import Rule
from optlab.symbols import alpha, lam


@dataclass(frozen=True)
class Tuning:
    """The tuned learning rate, hyper-parameters and worst-case rate (error factor per step) over [mu, L]."""

    rule: Rule
    alpha: float
    parameters: dict[str, float]
    rate: float

    @property
    def tuned_rule(self) -> Rule:
        """The rule with its tuned hyper-parameters bound (to nine digits)."""
        return self.rule.with_(**{name: float(f"{value:.9g}") for name, value in self.parameters.items()}) if self.parameters else self.rule


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
            trace, determinant = matrices[..., 0, 0] + matrices[..., 1, 1], np.linalg.det(matrices)
            disc = trace**2 - 4 * determinant
            real = (np.abs(trace) + np.sqrt(np.maximum(disc, 0))) / 2
            return np.where(finite, np.where(disc < 0, np.sqrt(np.maximum(determinant, 0)), real), np.inf)
        out[finite] = np.abs(np.linalg.eigvals(matrices[finite])).max(-1)
        return out

    return parameters, radius


def tune(rule: Rule | str, mu: float, L: float) -> Tuning:
    """Minimize the largest spectral radius over curvatures in [mu, L], over alpha and the unbound hyper-parameters.

    A ratio L/mu beyond 1e14 is tuned as 1e14: in double precision the rate of the flattest direction is 1 either way.

    A grid, then the simplex method of Nelder & Mead from its best points; the result is within about 1e-6 of the
    minimum rate on the closed forms that are known (Polyak 1964).

    Raises InputError unless 0 < mu <= L, UnsupportedError for a hyper-parameter outside [0, 1), NotLinearError for an
    adaptive rule.

    >>> tuned = tune("sgd", 0.01, 1.0)
    >>> round(tuned.alpha, 4), round(tuned.rate, 4)
    (1.9802, 0.9802)
    """
    return _tune(rules.get(rule), float(mu), float(L))


@lru_cache(maxsize=256)
def _tune(rule: Rule, mu: float, L: float) -> Tuning:
    if not (0 < mu <= L < np.inf):
        raise InputError(f"mu = {mu}, L = {L}: tuning needs 0 < mu <= L")
    parameters, radius = radius_function(rule)
    mu = max(mu, 1e-14 * L)
    for parameter in parameters:
        if rule.parameters[parameter].domain.sup != 1 or rule.parameters[parameter].domain.inf != 0:
            raise UnsupportedError(f"rule {rule.name}: only hyper-parameters in [0, 1) are tuned, and {parameter} is not; bind it")
    curvatures = np.unique(np.geomspace(mu, L, 65))

    def worst(x: np.ndarray) -> float:
        # x = (log(alpha L), log of 1 - each hyper-parameter)
        values = 1 - np.exp(x[1:])
        if np.any(values < 0):
            return float(1 + np.sum(-np.minimum(values, 0)))
        return float(radius(curvatures, np.exp(x[0]) / L, *values).max())

    kappa = L / mu
    alphas = np.log(np.geomspace(1e-3 / np.sqrt(kappa), 1e2 * np.sqrt(kappa), 61))
    others = [np.append(0.0, -np.linspace(0.02, np.log(kappa) + 2, 40)) for _ in parameters]
    grid = np.stack([axis.ravel() for axis in np.meshgrid(alphas, *others, indexing="ij")], -1)
    scores = np.array([worst(x) for x in grid]) if len(grid) < 200 else _scores(grid, radius, curvatures, L)
    best: tuple[float, np.ndarray] = (np.inf, grid[0])
    for index in np.argsort(scores, kind="stable")[:6]:
        x = grid[index]
        for size in (0.3, 0.03, 0.003, 3e-4, 3e-5):
            simplex = np.vstack([x, *(x - size * axis for axis in np.eye(len(x)))])
            found = minimize(
                worst, x, method="Nelder-Mead", options={"xatol": 1e-12, "fatol": 1e-15, "initial_simplex": simplex, "maxiter": 400}
            )
            if found.fun <= worst(x):
                x = found.x
        if worst(x) < best[0]:
            best = (worst(x), x)
    rate, x = best
    values = {str(parameter): float(max(0.0, 1 - np.exp(value))) for parameter, value in zip(parameters, x[1:], strict=True)}
    return Tuning(rule, float(np.exp(x[0]) / L), values, rate)


def _scores(grid: np.ndarray, radius: Callable[..., np.ndarray], curvatures: np.ndarray, L: float) -> np.ndarray:
    """The worst radius at every grid point, evaluated in one call per block."""
    ends = curvatures[[0, -1]]
    values = 1 - np.exp(grid[:, 1:])
    return radius(ends[None, :], (np.exp(grid[:, 0]) / L)[:, None], *(v[:, None] for v in values.T)).max(1)
