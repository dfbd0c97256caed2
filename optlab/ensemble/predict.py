"""Exact expectations of linear rules, step by step, under any schedule."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
import xarray as xr
from numba import njit

from optlab.analysis.linear import LinearForm, linear_form
from optlab.ensemble.bind import initial_states, learning_rates, problem_data
from optlab.ensemble.philox import read_seed
from optlab.ensemble.specs import Request, describe
from optlab.errors import UnsupportedError
from optlab.expressions import Rule, Schedule
from optlab.objectives import Fresh, Problem, Rows, Separable
from optlab.symbols import alpha, t, z


def predict(
    rule: Rule | str,
    problem: Problem | str,
    *,
    schedule: Schedule | float | str,
    steps: int,
    batch: int | None = 1,
    record: str | int | Sequence[int] = "linear",
    coordinates: bool | None = None,
    **simulation: Any,
) -> xr.Dataset:
    """The exact expected loss by step of a linear rule, at the steps that :func:`optlab.simulate` would record.

    The first two moments of (theta, states) obey ``s' = A s + b g`` exactly. On quadratics with additive noise each
    eigen-direction is followed on its own; on tables and fresh samples the covariance of the mini-batch gradient
    depends on the state, ``E[g g'] - E[g] E[g]'`` over rows, and is followed as an O(n d^2) map (the noise is
    multiplicative; see Bach & Moulines, NIPS 2013). With additive Gaussian noise the loss variance is exact as well.

    Takes the arguments of ``simulate``; those that only concern simulation (trajectories, rng, dtype, ...) are ignored.

    Returns
    -------
    xarray.Dataset
        Over ``step``: loss_mean; loss_variance where it is exact; theta_mean, theta_variance (step, coordinate) as in ``simulate``.

    Raises
    ------
    NotLinearError
        The rule is adaptive.
    UnsupportedError
        The objective is not quadratic, or batches are reshuffled (their steps are dependent).

    >>> import optlab as ol
    >>> exact = ol.predict("sgd", ol.problems.quadratic(spectrum=[1.0]), schedule=0.5, steps=3, record=[0, 1, 2, 3])
    >>> exact.loss_mean.values
    array([0.5      , 0.125    , 0.03125  , 0.0078125])
    """
    options = {"trajectories": 1, "dtype": "float64", "quantiles": (), "keep": 0, "outcomes": False, "common": False, "limit": 1e15}
    options |= {key: simulation[key] for key in options.keys() & simulation.keys()}
    request = Request.read(
        rule, problem, schedule=schedule, steps=steps, batch=batch, record=record, coordinates=coordinates,
        seed=read_seed(simulation.get("rng", 0)), backend=simulation.get("backend", "cpu"), **options,
    )  # fmt: skip
    form = linear_form(request.rule)
    A, b, c = _numeric(form, request.rule, learning_rates(request.schedule, request.steps))
    inits = initial_states(request.rule)
    if isinstance(request.problem, Separable):
        data = _by_direction(request, A, b, c, inits)
    elif isinstance(request.problem, (Rows, Fresh)):
        data = _over_rows(request, A, b, c, inits)
    else:
        raise UnsupportedError(f"no exact prediction on {request.problem.label()}: only quadratic losses have one; simulate it")
    coords: dict[str, Any] = {"step": request.records}
    if request.coordinates:
        coords["coordinate"] = [str(name) for name in getattr(request.problem, "coordinates", range(request.problem.dim))]
    else:
        data = {key: value for key, value in data.items() if not key.startswith("theta")}
    return xr.Dataset(data, coords, describe(request) | {"method": "exact moments"})


@lru_cache(maxsize=64)
def _entries(form: LinearForm, parameters: tuple[sp.Symbol, ...]) -> list[Any]:
    return [sp.lambdify((alpha, t, *parameters), list(m), "numpy") for m in (form.A, form.b, form.c)]


def _numeric(form: LinearForm, rule: Rule, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (steps, k, k), b (steps, k) and c (steps, k) as float64."""
    k, steps = len(form.states), len(rates)
    number = np.arange(1, steps + 1, dtype=float)
    values = [float(value) for value in rule.values.values()]
    out = []
    for entries, shape in zip(_entries(form, tuple(rule.parameters)), ((k, k), (k,), (k,)), strict=True):
        columns = [np.broadcast_to(np.asarray(e, float), (steps,)) for e in entries(rates, number, *values)]
        out.append(np.ascontiguousarray(np.stack(columns, -1).reshape(steps, *shape) if steps else np.zeros((0, *shape))))
    return out[0], out[1], out[2]


@njit(cache=True, nogil=True, error_model="numpy")
def _directions(A, b, c, curvatures, noise, mean, covariance, records, means, variances):  # type: ignore[no-untyped-def]
    """Means (records, d) and variances (records, d) of theta along each eigen-direction."""
    d, k = mean.shape
    M, old_mean, half = np.empty((k, k)), np.empty(k), np.empty((k, k))
    for i in range(d):
        r = 0
        for step in range(A.shape[0] + 1):
            if r < records.shape[0] and records[r] == step:
                means[r, i], variances[r, i] = mean[i, 0], covariance[i, 0, 0]
                r += 1
            if step == A.shape[0]:
                break
            for p in range(k):
                old_mean[p] = mean[i, p]
                for q in range(k):
                    M[p, q] = A[step, p, q] + curvatures[i] * b[step, p] * c[step, q]
            for p in range(k):
                total = 0.0
                for q in range(k):
                    total += M[p, q] * old_mean[q]
                    part = 0.0
                    for s in range(k):
                        part += M[p, s] * covariance[i, s, q]
                    half[p, q] = part
                mean[i, p] = total
            for p in range(k):
                for q in range(k):
                    part = noise * b[step, p] * b[step, q]
                    for s in range(k):
                        part += half[p, s] * M[q, s]
                    covariance[i, p, q] = part


def _by_direction(request: Request, A: np.ndarray, b: np.ndarray, c: np.ndarray, inits: np.ndarray) -> dict[str, Any]:
    problem = request.problem
    assert isinstance(problem, Separable)
    if not problem.is_quadratic:
        raise UnsupportedError(f"no exact prediction on {problem.label()}: its pieces are not quadratic; simulate it")
    data, d, k = problem_data(problem), problem.dim, A.shape[-1]
    turn = data.matrix if len(data.matrix) else np.eye(d)
    mean, covariance = np.empty((d, k)), np.zeros((d, k, k))
    mean[:, 0] = turn @ np.array(problem.start.point)
    mean[:, 1:] = turn.sum(1)[:, None] * inits
    covariance[:, 0, 0] = problem.start.scatter**2
    means, variances = np.empty((len(request.records), d)), np.empty((len(request.records), d))
    noise = problem.noise**2 / (request.batch or 1)
    _directions(A, b, c, data.curvature, noise, mean, covariance, request.records, means, variances)
    half = data.curvature / 2
    with np.errstate(over="ignore", invalid="ignore"):
        return {
            "loss_mean": ("step", (means**2 + variances) @ half, {"long_name": "exact expected loss"}),
            "loss_variance": ("step", (2 * variances**2 + 4 * means**2 * variances) @ half**2, {"long_name": "exact variance of the loss"}),
            "theta_mean": (("step", "coordinate"), means @ turn),
            "theta_variance": (("step", "coordinate"), variances @ turn**2),
        }


@njit(cache=True, nogil=True, error_model="numpy")
def _second_moments(A, b, c, H, quartic, cubic, constant, rows, weights, residuals, factor, additive, m, S, records, means, seconds):  # type: ignore[no-untyped-def]
    """E[s_i] (k, d) and E[s_i s_j'] (k, k, d, d) step by step; s_0 = theta - theta*. Records theta's."""
    k, d = m.shape
    r = 0
    for step in range(A.shape[0] + 1):
        if r < records.shape[0] and records[r] == step:
            means[r], seconds[r] = m[0], S[0, 0]
            r += 1
        if step == A.shape[0]:
            break
        mu = np.zeros(d)
        D = np.zeros((d, d))
        G = np.zeros((k, d, d))  # G_j = H E[u s_j'], u the point of the gradient
        for i in range(k):
            mu += c[step, i] * m[i]
            for j in range(k):
                D += c[step, i] * c[step, j] * S[i, j]
        for j in range(k):
            mixed = np.zeros((d, d))
            for i in range(k):
                mixed += c[step, i] * S[i, j]
            G[j] = np.dot(H, mixed)
        gradient = np.dot(H, mu)
        squared = np.dot(np.dot(H, D), H)
        noise = np.zeros((d, d))
        if factor > 0.0:
            if quartic.shape[0] > 0:
                noise += np.dot(quartic, np.ascontiguousarray(D).reshape(d * d)).reshape(d, d)
                noise -= np.dot(cubic, mu).reshape(d, d)
            else:
                scaled = np.empty_like(rows)
                for n in range(rows.shape[0]):
                    image = np.dot(D, rows[n])
                    value = weights[n] * (np.dot(rows[n], image) - 2.0 * residuals[n] * np.dot(rows[n], mu))
                    for j in range(d):
                        scaled[n, j] = value * rows[n, j]
                noise += np.dot(rows.T, scaled)
            noise = factor * (noise + constant - squared)
        for i in range(d):
            noise[i, i] += additive
        new_m, new_S = np.zeros_like(m), np.zeros_like(S)
        for i in range(k):
            new_m[i] = b[step, i] * gradient
            for p in range(k):
                new_m[i] += A[step, i, p] * m[p]
            for j in range(k):
                new_S[i, j] = b[step, i] * b[step, j] * (squared + noise)
                for p in range(k):
                    new_S[i, j] += b[step, i] * A[step, j, p] * G[p] + b[step, j] * A[step, i, p] * G[p].T
                    for q in range(k):
                        new_S[i, j] += A[step, i, p] * A[step, j, q] * S[p, q]
        for i in range(k):  # E[s_i s_j'] = E[s_j s_i']': rounding apart from that grows exponentially on ill-conditioned tables
            for j in range(i + 1):
                both = (new_S[i, j] + new_S[j, i].T) / 2.0
                new_S[i, j], new_S[j, i] = both, both.T
        m[:, :], S[:, :, :, :] = new_m, new_S


def weighted_rows(problem: Rows | Fresh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (n, d), targets (n,) and probabilities (n,) with the problem's moments to the fourth order.

    Fresh samples become Gauss-Legendre x Gauss-Hermite nodes, three of each: exact for polynomials of degree 5.
    """
    if isinstance(problem, Rows):
        data = problem_data(problem)
        return np.ascontiguousarray(data.matrix), data.targets, np.full(problem.n, 1 / problem.n)
    nodes, weights = np.polynomial.legendre.leggauss(3)
    normals, normal_weights = np.polynomial.hermite_e.hermegauss(3)
    x, e = (grid.ravel() for grid in np.meshgrid(nodes, normals, indexing="ij"))
    probability = np.outer(weights / 2, normal_weights / normal_weights.sum()).ravel()
    evaluate = sp.lambdify((problem.uniform, problem.normal), [*problem.features, problem.target], "numpy")
    columns = [np.broadcast_to(np.asarray(column, float), x.shape) for column in evaluate(x, e)]
    return np.ascontiguousarray(np.stack(columns[:-1], 1)), np.array(columns[-1]), probability


def optimum(problem: Rows | Fresh) -> tuple[np.ndarray, np.ndarray, float]:
    """The minimizer of least norm (d,), the Hessian (d, d) and the least loss of a squared-error problem."""
    curvature = problem.expressions().get("curvature", sp.diff(problem.expressions()["gradient"], z))
    if not curvature.is_number:
        raise UnsupportedError(f"no exact prediction on {problem.label()}: its loss is not a squared error; simulate it")
    rows, targets, probability = weighted_rows(problem)
    root = np.sqrt(probability)
    best = np.linalg.lstsq(rows * root[:, None], targets * root, rcond=None)[0]
    least = float(curvature) / 2 * float(probability @ (targets - rows @ best) ** 2)
    return best, float(curvature) * (rows.T @ (probability[:, None] * rows)), least


def _over_rows(request: Request, A: np.ndarray, b: np.ndarray, c: np.ndarray, inits: np.ndarray) -> dict[str, Any]:
    problem, batch = request.problem, request.batch
    assert isinstance(problem, (Rows, Fresh))
    if isinstance(problem, Rows) and problem.sampling == "reshuffle" and batch is not None:
        raise UnsupportedError("no exact prediction for sampling='reshuffle': steps of an epoch are dependent; simulate, or use 'subset'")
    best, H, least = optimum(problem)
    rows, targets, probability = weighted_rows(problem)
    d, k = problem.dim, A.shape[-1]
    slope = H.trace() / float(probability @ (rows**2).sum(1))  # the curvature of one row's loss
    residuals = targets - rows @ best
    weights = probability * slope**2
    quartic, cubic = np.empty((0, 0)), np.empty((0, 0))
    if d * d <= 4 * len(rows) and d <= 32:  # the fourth-moment tensor is smaller than the rows it sums
        products = (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), d * d)
        quartic = products.T @ (weights[:, None] * products)
        cubic = 2 * products.T @ ((weights * residuals)[:, None] * rows)
    constant = rows.T @ ((weights * residuals**2)[:, None] * rows)
    factor = 0.0 if batch is None else 1 / batch
    if isinstance(problem, Rows) and problem.sampling == "subset" and batch is not None:
        factor *= (problem.n - batch) / max(problem.n - 1, 1)
    m, S = np.zeros((k, d)), np.zeros((k, k, d, d))
    m[0] = np.array(problem.start.point) - best
    m[1:] = inits[:, None]
    for i in range(k):
        for j in range(k):
            S[i, j] = np.outer(m[i], m[j])
    S[0, 0] += np.eye(d) * problem.start.scatter**2
    means, seconds = np.empty((len(request.records), d)), np.empty((len(request.records), d, d))
    _second_moments(
        A, b, c, np.ascontiguousarray(H), quartic, cubic, constant, rows, weights, residuals, factor,
        problem.noise**2 / (batch or 1), m, S, request.records, means, seconds,
    )  # fmt: skip
    with np.errstate(over="ignore", invalid="ignore"):
        loss = least + np.einsum("ij,rji->r", H, seconds) / 2
        diagonal = np.einsum("rii->ri", seconds)
        return {
            "loss_mean": ("step", loss, {"long_name": "exact expected loss"}),
            "theta_mean": (("step", "coordinate"), means + best),
            "theta_variance": (("step", "coordinate"), diagonal - means**2),
        }
