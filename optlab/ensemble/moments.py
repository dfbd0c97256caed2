"""The first two moments of a linear rule's states, one step at a time: what prediction, stability and budgets share.

``s' = A s + b g`` with the gradient at ``c . s`` is followed exactly in the eigenbasis of the Hessian, a pair of directions at a
time: each direction with itself where the noise is additive, all pairs where the gradient is a mini-batch's, whose covariance
depends on the state and couples them (Bach & Moulines, NIPS 2013).
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
def unpack(D, left, right, d):  # type: ignore[no-untyped-def]
    """The symmetric (d, d) matrix of the pairs D."""
    full = np.zeros((d, d), D.dtype)
    for p in range(len(left)):
        full[left[p], right[p]] = D[p]
        full[right[p], left[p]] = D[p]
    return full


@njit(cache=True, nogil=True, error_model="numpy")
def gradient_noise(D, mu, left, right, h, quartic, cubic, constant, rows, weights, residuals, factor, additive):  # type: ignore[no-untyped-def]
    """The covariance (pairs) of the mini-batch gradient at a point u of moments mu = E[u] (d,) and D = E[u_i u_j] (pairs)."""
    pairs, d = len(left), len(mu)
    noise = np.zeros_like(D)
    if factor > 0.0:
        if quartic.shape[0] > 0:
            for q in range(pairs):
                x = D[q]
                for p in range(pairs):
                    noise[p] += quartic[q, p] * x
            for j in range(d):
                x = mu[j]
                for p in range(pairs):
                    noise[p] -= cubic[j, p] * x
        else:
            image = np.dot(rows, unpack(D, left, right, d))
            for n in range(rows.shape[0]):
                value = D[0] * 0.0
                for j in range(d):
                    value += rows[n, j] * (image[n, j] - 2.0 * residuals[n] * mu[j])
                for j in range(d):
                    image[n, j] = weights[n] * value * rows[n, j]
            full = np.dot(rows.T, image)
            for p in range(pairs):
                noise[p] = full[left[p], right[p]]
        for p in range(pairs):
            noise[p] = factor * (noise[p] + constant[p] - h[left[p]] * h[right[p]] * D[p])
    for p in range(pairs):
        noise[p] += additive[p]
    return noise


@njit(cache=True, nogil=True, error_model="numpy")
def evolve(A, b, c, left, right, h, quartic, cubic, constant, rows, weights, residuals, factor, additive, m, S, records, means, seconds):  # type: ignore[no-untyped-def]
    """E[s_i] (k, d) and E[s_i s_j'] (k, k, pairs) step by step, s = 0 at the minimum; records theta's. With them: False once it overflows.

    A (steps, k, k), b and c (steps, k). With S a covariance and ``factor`` 0 it is followed as well: the map is the same.
    """
    k, d, pairs = m.shape[0], m.shape[1], len(left)
    r = 0
    diagonal = np.flatnonzero(left == right)
    half, new, at = np.empty_like(S), np.empty_like(S), np.empty((k, pairs), S.dtype)
    D, mixed, mu, new_m = np.empty(pairs, S.dtype), np.empty(pairs, S.dtype), np.empty(d, S.dtype), np.empty_like(m)
    for step in range(A.shape[0] + 1):
        if r < records.shape[0] and records[r] == step:
            for j in range(d):
                means[r, j] = m[0, j]
            for p in range(pairs):
                seconds[r, p] = S[0, 0, p]
            r += 1
        if step == A.shape[0]:
            break
        for j in range(d):  # mu, D: the moments of the point where the gradient is taken
            mu[j] = 0.0
        for p in range(pairs):
            D[p] = 0.0
        for i in range(k):
            for p in range(pairs):
                at[i, p] = 0.0  # E[(c . s) s_i']
            for a in range(k):
                if c[step, a] != 0.0:
                    for p in range(pairs):
                        at[i, p] += c[step, a] * S[a, i, p]
            if c[step, i] != 0.0:
                for j in range(d):
                    mu[j] += c[step, i] * m[i, j]
                for p in range(pairs):
                    D[p] += c[step, i] * at[i, p]
        size = 0.0
        for j in range(d):
            size += abs(D[diagonal[j]].real) + abs(mu[j].real)
        if not size < 1e300:
            return m, S, False
        noise = gradient_noise(D, mu, left, right, h, quartic, cubic, constant, rows, weights, residuals, factor, additive)
        for i in range(k):  # M_left S, M = A + h b c'
            for j in range(k):
                for p in range(pairs):
                    half[i, j, p] = b[step, i] * h[left[p]] * at[j, p]
                for a in range(k):
                    if A[step, i, a] != 0.0:
                        for p in range(pairs):
                            half[i, j, p] += A[step, i, a] * S[a, j, p]
            for j in range(d):
                new_m[i, j] = b[step, i] * h[j] * mu[j]
            for a in range(k):
                for j in range(d):
                    new_m[i, j] += A[step, i, a] * m[a, j]
        for i in range(k):  # M_left S M_right' + b b' noise
            for p in range(pairs):
                mixed[p] = 0.0
            for a in range(k):
                if c[step, a] != 0.0:
                    for p in range(pairs):
                        mixed[p] += c[step, a] * half[i, a, p]
            for j in range(k):
                for p in range(pairs):
                    new[i, j, p] = b[step, j] * (h[right[p]] * mixed[p] + b[step, i] * noise[p])
                for a in range(k):
                    if A[step, j, a] != 0.0:
                        for p in range(pairs):
                            new[i, j, p] += A[step, j, a] * half[i, a, p]
        m, new_m, S, new = new_m, m, new, S
    return m, S, True


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


def batch_factor(problem: Problem, batch: float | None) -> float:
    """What the covariance of one row's gradient is multiplied by: 1/B, (n - B)/(B (n - 1)) for subsets, 0 for the whole table.

    B need not be whole: between whole batches the formula goes on.
    """
    if batch is None:
        return 0.0
    if isinstance(problem, Rows) and problem.sampling == "subset":
        return 1 / batch * (max(problem.n - batch, 0) / max(problem.n - 1, 1))
    return 1 / batch


class Pairs:
    """Moments in the eigenbasis of the Hessian: what each model gives the kernel, and how it is run."""

    left: np.ndarray  #: the first direction of each pair
    right: np.ndarray
    curvature: np.ndarray  #: (d,)
    m: np.ndarray  #: E[s_i] at the start (k, d)
    S: np.ndarray  #: E[s_i s_j'] at the start, or the covariance, (k, k, pairs)
    factor: float
    additive: float  #: the variance of additive noise
    least: float = 0.0  #: the least loss
    _fourth: tuple[np.ndarray, ...]

    def kernel(self, dtype: Any = np.float64) -> tuple[Any, ...]:
        """What the kernels take between A, b, c and the state."""
        quartic, cubic, constant, rows, weights, residuals = self._fourth
        additive = self.additive * (self.left == self.right)
        pairs = (self.left, self.right, self.curvature, quartic, cubic, constant)
        return (*pairs, np.ascontiguousarray(rows, dtype), weights, residuals, self.factor, additive)

    def run(self, A: np.ndarray, b: np.ndarray, c: np.ndarray, records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means (records, d) and second moments or variances (records, pairs) of theta in the eigenbasis, in A's dtype."""
        means = np.full((len(records), len(self.curvature)), np.inf, A.dtype)
        seconds = np.full((len(records), len(self.left)), np.inf, A.dtype)
        evolve(A, b, c, *self.kernel(A.dtype), self.m.astype(A.dtype), self.S.astype(A.dtype), records, means, seconds)
        return means, seconds

    def excess(self, means: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """The expected loss above the minimum."""
        raise NotImplementedError


class Directions(Pairs):
    """A quadratic with additive noise: each eigen-direction on its own. Means and variances of theta are (records, d)."""

    def __init__(self, problem: Separable, rule: Rule, batch: int | None) -> None:
        if not problem.is_quadratic:
            raise UnsupportedError(f"no exact prediction on {problem.label()}: its pieces are not quadratic; simulate it")
        data, self.d = problem_data(problem), problem.dim
        inits = initial_states(rule)
        k = 1 + len(inits)
        self.left = self.right = np.arange(self.d)
        self.curvature, self.turn = data.curvature, data.matrix if len(data.matrix) else np.eye(self.d)
        self.m, self.S = np.empty((k, self.d)), np.zeros((k, k, self.d))
        self.m[0] = self.turn @ np.array(problem.start.point)
        self.m[1:] = inits[:, None] * self.turn.sum(1)
        self.S[0, 0] = problem.start.scatter**2
        self.factor, self.additive = 0.0, problem.noise**2 / (batch or 1)
        none = np.empty((0, 0))
        self._fourth = (none, none, np.zeros(self.d), none, np.empty(0), np.empty(0))

    def excess(self, means: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """The expected loss above the minimum, from means and variances."""
        return (means**2 + seconds) @ (self.curvature / 2)


class Multiplied(Pairs):
    """An axis-aligned quadratic whose noise multiplies the gradient: each direction on its own. Second moments are (records, d).

    The gradient h x of a direction gets noise of variance sigma^2/B h^2 E[x^2], so second moments are followed, not variances.
    In the kernel's terms the fourth moments are 2 h^2 on the diagonal: it takes h^2 E[x^2] off them.
    """

    def __init__(self, problem: Separable, rule: Rule, batch: int | None) -> None:
        if problem.rotation is not None:
            raise UnsupportedError(
                f"no exact prediction on {problem.label()}: multiplicative noise follows the axes, and a rotation mixes them; simulate it"
            )
        start = Directions(problem, rule, batch)
        self.left, self.right, self.curvature, self.m = start.left, start.right, start.curvature, start.m
        self.S = start.S + self.m[:, None] * self.m[None, :]
        self.factor, self.additive = problem.noise**2 / (batch or 1), 0.0
        none, zero = np.empty((0, 0)), np.zeros(problem.dim)
        self._fourth = (np.diag(2 * self.curvature**2), np.diag(zero), zero, none, np.empty(0), np.empty(0))

    def excess(self, means: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """The expected loss above the minimum, from second moments."""
        return seconds @ (self.curvature / 2)


class OverRows(Pairs):
    """A table or fresh samples: every pair of directions. Means of theta - theta* are (records, d), second moments (records, pairs)."""

    def __init__(self, problem: Rows | Fresh, rule: Rule, batch: int | None) -> None:
        if not problem.noise_law.additive:
            raise UnsupportedError(
                f"no exact prediction on {problem.label()}: noise that multiplies a mini-batch's gradient is not followed; simulate it"
            )
        if isinstance(problem, Rows) and problem.sampling == "reshuffle" and batch is not None:
            raise UnsupportedError(
                "no exact prediction for sampling='reshuffle': steps of an epoch are dependent; simulate, or use 'subset'"
            )
        self.best, self.H, self.least = optimum(problem)
        self.curvature, self.basis = np.linalg.eigh(self.H)
        rows, targets, probability = weighted_rows(problem)
        self.d = d = problem.dim
        self.left, self.right = np.triu_indices(d)
        power = float(probability @ (rows**2).sum(1))
        slope = self.H.trace() / power if power else 0.0  # the curvature of one row's loss
        residuals, weights = targets - rows @ self.best, probability * slope**2
        self.rows = rows = np.ascontiguousarray(rows @ self.basis)
        quartic, cubic = np.empty((0, 0)), np.empty((0, 0))
        if d * d <= 4 * len(rows) and d <= 32:  # the fourth-moment tensor is smaller than the rows it sums
            products = rows[:, self.left] * rows[:, self.right]
            twice = np.where(self.left == self.right, 1.0, 2.0)  # a pair stands for both of its orders
            quartic = twice[:, None] * (products.T @ (weights[:, None] * products))
            cubic = 2 * rows.T @ ((weights * residuals)[:, None] * products)
        constant = (rows.T @ ((weights * residuals**2)[:, None] * rows))[self.left, self.right]
        self._fourth = (quartic, cubic, constant, rows, weights, residuals)
        self.factor = batch_factor(problem, batch)
        self.additive = problem.noise**2 / (batch or 1)
        inits = initial_states(rule)
        self.m = np.empty((1 + len(inits), d))
        self.m[0] = (np.array(problem.start.point) - self.best) @ self.basis
        self.m[1:] = inits[:, None] * self.basis.sum(0)
        self.S = self.m[:, None, self.left] * self.m[None, :, self.right]
        self.S[0, 0] += problem.start.scatter**2 * (self.left == self.right)

    def excess(self, means: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """The expected loss above the minimum, from second moments."""
        return seconds[:, self.left == self.right] @ (self.curvature / 2)

    def variances(self, means: np.ndarray, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and variances of theta - theta* (records, d) by coordinate."""
        full = np.zeros((len(seconds), self.d, self.d))
        full[:, self.left, self.right] = full[:, self.right, self.left] = seconds
        turned = means @ self.basis.T
        return turned, np.einsum("ia,rab,ib->ri", self.basis, full, self.basis, optimize=True) - turned**2


class Moments:
    """The exact first two moments of one linear rule on one problem with one batch size, under any learning rates."""

    def __init__(self, rule: Rule, problem: Problem, batch: int | None) -> None:
        self.rule, self.form = rule, linear_form(rule)
        self.model: Directions | Multiplied | OverRows
        if isinstance(problem, Separable):
            self.model = (Directions if problem.noise_law.additive else Multiplied)(problem, rule, batch)
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
