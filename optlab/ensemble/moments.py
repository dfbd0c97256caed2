"""The first two moments of a linear rule's states, one step at a time: what prediction, stability and budgets share.

``s' = A s + b g`` with the gradient at ``c . s`` is followed exactly: along each eigen-direction where the noise is additive,
and as an O(n d^2) map where the gradient is a mini-batch's, whose covariance depends on the state (Bach & Moulines, NIPS 2013).
The kernels take complex learning rates as well: the imaginary part of the result at alpha + i h u is h times the derivative
along u, exact to rounding at h = 1e-30 (Squire & Trapp, SIAM Rev. 40(1), 1998), because every operation is a sum or a product.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numba import njit

from optlab.analysis.linear import LinearForm, linear_form
from optlab.ensemble.bind import initial_states, problem_data
from optlab.errors import UnsupportedError
from optlab.expressions import Rule
from optlab.objectives import Fresh, Problem, Rows, Separable
from optlab.symbols import alpha, t, z


@lru_cache(maxsize=64)
def _entries(form: LinearForm, parameters: tuple[sp.Symbol, ...]) -> list[Any]:
    return [sp.lambdify((alpha, t, *parameters), list(m), "numpy") for m in (form.A, form.b, form.c)]


def numeric(form: LinearForm, rule: Rule, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (steps, k, k), b (steps, k) and c (steps, k) in the rates' dtype (float64 or complex128)."""
    k, steps = len(form.states), len(rates)
    number = np.arange(1, steps + 1, dtype=float)
    values = [float(value) for value in rule.values.values()]
    out = []
    for entries, shape in zip(_entries(form, tuple(rule.parameters)), ((k, k), (k,), (k,)), strict=True):
        columns = [np.broadcast_to(np.asarray(e, rates.dtype), (steps,)) for e in entries(rates, number, *values)]
        out.append(np.ascontiguousarray(np.stack(columns, -1).reshape(steps, *shape) if steps else np.zeros((0, *shape), rates.dtype)))
    return out[0], out[1], out[2]


@njit(cache=True, nogil=True, error_model="numpy")
def _directions(A, b, c, curvatures, noise, mean, covariance, records, means, variances):  # type: ignore[no-untyped-def]
    """Means (records, d) and variances (records, d) of theta along each eigen-direction."""
    d, k = mean.shape
    M, old_mean, half = np.empty((k, k), mean.dtype), np.empty(k, mean.dtype), np.empty((k, k), mean.dtype)
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


@njit(cache=True, nogil=True, error_model="numpy")
def gradient_noise(D, mu, squared, quartic, cubic, constant, rows, weights, residuals, factor, additive):  # type: ignore[no-untyped-def]
    """The covariance (d, d) of the mini-batch gradient at a point u of moments mu = E[u] and D = E[u u']; ``squared`` is H D H."""
    d = len(mu)
    noise = np.zeros((d, d), D.dtype)
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
    return noise


@njit(cache=True, nogil=True, error_model="numpy")
def one_step(A, b, c, H, quartic, cubic, constant, rows, weights, residuals, factor, additive, m, S):  # type: ignore[no-untyped-def]
    """E[s_i] (k, d) and E[s_i s_j'] (k, k, d, d) after one step of A (k, k), b (k,), c (k,)."""
    k, d = m.shape
    mu = np.zeros(d, m.dtype)
    D = np.zeros((d, d), m.dtype)
    G = np.zeros((k, d, d), m.dtype)  # G_j = H E[u s_j'], u the point of the gradient
    for i in range(k):
        mu += c[i] * m[i]
        for j in range(k):
            D += c[i] * c[j] * S[i, j]
    for j in range(k):
        mixed = np.zeros((d, d), m.dtype)
        for i in range(k):
            mixed += c[i] * S[i, j]
        G[j] = np.dot(H, mixed)
    gradient = np.dot(H, mu)
    squared = np.dot(np.dot(H, D), H)
    noise = gradient_noise(D, mu, squared, quartic, cubic, constant, rows, weights, residuals, factor, additive)
    new_m, new_S = np.zeros_like(m), np.zeros_like(S)
    for i in range(k):
        new_m[i] = b[i] * gradient
        for p in range(k):
            new_m[i] += A[i, p] * m[p]
        for j in range(k):
            new_S[i, j] = b[i] * b[j] * (squared + noise)
            for p in range(k):
                new_S[i, j] += b[i] * A[j, p] * G[p] + b[j] * A[i, p] * G[p].T
                for q in range(k):
                    new_S[i, j] += A[i, p] * A[j, q] * S[p, q]
    for i in range(k):  # E[s_i s_j'] = E[s_j s_i']': rounding apart from that grows exponentially on ill-conditioned tables
        for j in range(i + 1):
            both = (new_S[i, j] + new_S[j, i].T) / 2.0
            new_S[i, j], new_S[j, i] = both, both.T
    return new_m, new_S


@njit(cache=True, nogil=True, error_model="numpy")
def _second_moments(A, b, c, H, quartic, cubic, constant, rows, weights, residuals, factor, additive, m, S, records, means, seconds):  # type: ignore[no-untyped-def]
    """E[s_i] (k, d) and E[s_i s_j'] (k, k, d, d) step by step; s_0 = theta - theta*. Records theta's."""
    r = 0
    for step in range(A.shape[0] + 1):
        if r < records.shape[0] and records[r] == step:
            means[r], seconds[r] = m[0], S[0, 0]
            r += 1
        if step == A.shape[0]:
            break
        m, S = one_step(
            A[step], b[step], c[step], H, quartic, cubic, constant, rows, weights, residuals, factor, additive, m, S
        )  # fmt: skip


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


class Directions:
    """A quadratic with additive noise: each eigen-direction on its own. Means and variances of theta are (records, d)."""

    def __init__(self, problem: Separable, rule: Rule, batch: int | None) -> None:
        if not problem.is_quadratic:
            raise UnsupportedError(f"no exact prediction on {problem.label()}: its pieces are not quadratic; simulate it")
        data, self.d = problem_data(problem), problem.dim
        inits = initial_states(rule)
        k = 1 + len(inits)
        self.curvature, self.turn = data.curvature, data.matrix if len(data.matrix) else np.eye(self.d)
        self.mean, self.covariance = np.empty((self.d, k)), np.zeros((self.d, k, k))
        self.mean[:, 0] = self.turn @ np.array(problem.start.point)
        self.mean[:, 1:] = self.turn.sum(1)[:, None] * inits
        self.covariance[:, 0, 0] = problem.start.scatter**2
        self.noise = problem.noise**2 / (batch or 1)

    def run(self, A: np.ndarray, b: np.ndarray, c: np.ndarray, records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and variances of theta along each eigen-direction at the recorded steps, in A's dtype."""
        means, variances = (np.empty((len(records), self.d), A.dtype) for _ in range(2))
        _directions(
            A, b, c, self.curvature, self.noise, self.mean.astype(A.dtype), self.covariance.astype(A.dtype), records, means, variances
        )  # fmt: skip
        return means, variances

    def excess(self, means: np.ndarray, variances: np.ndarray) -> np.ndarray:
        """The expected loss above the minimum."""
        return (means**2 + variances) @ (self.curvature / 2)


class OverRows:
    """A table or fresh samples: E[s s'] of the whole state. Means of theta - theta* are (records, d), seconds (records, d, d)."""

    def __init__(self, problem: Rows | Fresh, rule: Rule, batch: int | None) -> None:
        if isinstance(problem, Rows) and problem.sampling == "reshuffle" and batch is not None:
            raise UnsupportedError(
                "no exact prediction for sampling='reshuffle': steps of an epoch are dependent; simulate, or use 'subset'"
            )
        self.best, self.H, self.least = optimum(problem)
        self.H = np.ascontiguousarray(self.H)
        self.rows, targets, probability = weighted_rows(problem)
        self.d = d = problem.dim
        power = float(probability @ (self.rows**2).sum(1))
        slope = self.H.trace() / power if power else 0.0  # the curvature of one row's loss
        self.residuals = residuals = targets - self.rows @ self.best
        self.weights = weights = probability * slope**2
        self.quartic, self.cubic = np.empty((0, 0)), np.empty((0, 0))
        if d * d <= 4 * len(self.rows) and d <= 32:  # the fourth-moment tensor is smaller than the rows it sums
            products = (self.rows[:, :, None] * self.rows[:, None, :]).reshape(len(self.rows), d * d)
            self.quartic = products.T @ (weights[:, None] * products)
            self.cubic = 2 * products.T @ ((weights * residuals)[:, None] * self.rows)
        self.constant = self.rows.T @ ((weights * residuals**2)[:, None] * self.rows)
        self.factor = 0.0 if batch is None else 1 / batch
        if isinstance(problem, Rows) and problem.sampling == "subset" and batch is not None:
            self.factor *= (problem.n - batch) / max(problem.n - 1, 1)
        self.additive = problem.noise**2 / (batch or 1)
        inits = initial_states(rule)
        k = 1 + len(inits)
        self.m, self.S = np.zeros((k, d)), np.zeros((k, k, d, d))
        self.m[0] = np.array(problem.start.point) - self.best
        self.m[1:] = inits[:, None]
        for i in range(k):
            for j in range(k):
                self.S[i, j] = np.outer(self.m[i], self.m[j])
        self.S[0, 0] += np.eye(d) * problem.start.scatter**2

    def model(self, dtype: Any = np.float64) -> tuple[Any, ...]:
        """What the kernels take between A, b, c and the state, its matrices in this dtype."""
        cast = (self.H, self.quartic, self.cubic, self.constant, self.rows)
        return (*(np.ascontiguousarray(a, dtype) for a in cast), self.weights, self.residuals, self.factor, self.additive)

    def run(self, A: np.ndarray, b: np.ndarray, c: np.ndarray, records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """E[theta - theta*] and E[(theta - theta*)(theta - theta*)'] at the recorded steps, in A's dtype."""
        means, seconds = np.empty((len(records), self.d), A.dtype), np.empty((len(records), self.d, self.d), A.dtype)
        _second_moments(A, b, c, *self.model(A.dtype), self.m.astype(A.dtype), self.S.astype(A.dtype), records, means, seconds)
        return means, seconds

    def excess(self, means: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """The expected loss above the minimum."""
        return np.einsum("ij,rji->r", self.H, seconds) / 2


class Moments:
    """The exact first two moments of one linear rule on one problem with one batch size, under any learning rates."""

    def __init__(self, rule: Rule, problem: Problem, batch: int | None) -> None:
        self.rule, self.form = rule, linear_form(rule)
        self.model: Directions | OverRows
        if isinstance(problem, Separable):
            self.model = Directions(problem, rule, batch)
        elif isinstance(problem, (Rows, Fresh)):
            self.model = OverRows(problem, rule, batch)
        else:
            raise UnsupportedError(f"no exact prediction on {problem.label()}: only quadratic losses have one; simulate it")

    def run(self, rates: np.ndarray, records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The model's moments at the recorded steps under these rates (float64 or complex128)."""
        return self.model.run(*numeric(self.form, self.rule, rates), records)

    def final_excess(self, rates: np.ndarray) -> Any:
        """The expected loss above the minimum after the last step, in the rates' dtype."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.model.excess(*self.run(rates, np.array([len(rates)], np.int64)))[0]
