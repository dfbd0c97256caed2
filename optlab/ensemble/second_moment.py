"""The second-moment operator of mini-batch training: noise that multiplies, its stability limit and its stationary covariance.

On least squares a mini-batch's Hessian H_B is random, so E[s s'] with s = (theta - theta*, states) obeys a linear map,
``S -> E[(I - alpha H_B) S (I - alpha H_B)]`` for SGD, plus the label noise. The map keeps the cone of positive semidefinite
matrices, so its spectral radius is an eigenvalue. It is applied to matrices in O(n d^2) and never formed.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from scipy.optimize import brentq
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs, gmres

from optlab import problems, rules
from optlab.analysis import analyze
from optlab.ensemble.bind import hessian
from optlab.ensemble.moments import Moments, OverRows, gradient_noise, numeric, one_step
from optlab.errors import InputError, UnsupportedError
from optlab.expressions import Rule
from optlab.objectives import Problem, Rows, Separable, real, whole
from optlab.symbols import alpha as rate_symbol
from optlab.symbols import lam

DENSE = 36  #: operators of at most this many rows are formed: Arnoldi's method needs room


class SecondMoment:
    """The one-step map of second moments of a linear rule on one problem with one batch size. Made by :func:`second_moment`."""

    def __init__(self, rule: Rule, problem: Problem, batch: int | None) -> None:
        self.rule, self.problem, self.batch = rule, problem, batch
        moments = Moments(rule, problem, batch)
        self.form = moments.form.steady()
        self.k = len(self.form.states)
        if isinstance(moments.model, OverRows):
            model = moments.model
            self.H, self.least, full = model.H, model.least, model.model()
        else:  # additive noise: the Hessian is the same at every step
            self.H, self.least = hessian(problem), 0.0
            d, none = problem.dim, np.empty((0, 0))
            full = (self.H, none, none, np.zeros((d, d)), np.empty((0, d)), np.empty(0), np.empty(0), 0.0, moments.model.noise)
        self.d, self._full = len(self.H), full
        H, quartic, cubic, constant, *rest, _ = full
        self._homogeneous = (H, quartic, np.zeros_like(cubic), np.zeros_like(constant), *rest, 0.0)
        values, self.basis = np.linalg.eigh(self.H)
        self.rank = values > values.max() * self.d * np.finfo(float).eps if values.max() > 0 else np.zeros(self.d, bool)
        self.curvatures = np.where(self.rank, values, 0.0)
        self.fixed = self.factor == 0.0  # every batch has the same Hessian

    @property
    def factor(self) -> float:
        """What the covariance of one row's gradient is multiplied by: 1/B, (n - B)/(B (n - 1)) for subsets, 0 for the whole table."""
        return float(self._full[-2])

    def matrices(self, alpha: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A (k, k), b (k,), c (k,) of the rule's steady form at this learning rate."""
        A, b, c = numeric(self.form, self.rule, np.array([real(alpha, "alpha", low=0)]))
        return A[0], b[0], c[0]

    def apply(self, S: Any, alpha: float) -> np.ndarray:
        """One step of the map without label noise, for symmetric S: (d, d), or (k, k, d, d) where the rule carries states.

        >>> import optlab as ol
        >>> table = ol.problems.least_squares([[1.0], [2.0]], [0.0, 0.0])
        >>> second_moment(table, batch=1).apply([[1.0]], 0.1)  # the mean of (1 - 0.1)^2 and (1 - 0.4)^2
        array([[0.585]])
        """
        S = np.asarray(S, float)
        shape, expected = S.shape, (self.k, self.k, self.d, self.d)
        if shape != expected and not (self.k == 1 and shape == expected[2:]):
            raise InputError(f"S has shape {shape}: the second moment here has shape {expected if self.k > 1 else expected[2:]}")
        state = np.ascontiguousarray(S.reshape(expected))
        return one_step(*self.matrices(alpha), *self._homogeneous, np.zeros((self.k, self.d)), state)[1].reshape(shape)

    def operator(self, alpha: float) -> LinearOperator:
        """The map as a SciPy operator on flattened (k, k, d, d) arrays, made symmetric first (it commutes with that)."""
        shape, size = (self.k, self.k, self.d, self.d), (self.k * self.d) ** 2
        return LinearOperator((size, size), lambda v: one_step(
            *self.matrices(alpha), *self._homogeneous, np.zeros(shape[1:3]), np.ascontiguousarray(v.reshape(shape))
        )[1].ravel(), dtype=float)  # fmt: skip

    def spectral_radius(self, alpha: float) -> float:
        """The factor per step that E[|theta - theta*|^2] ends up multiplied by without label noise, on the range of the Hessian.

        Where every row can be fitted exactly (no residuals) this is the linear rate at which the expected loss goes to its minimum.
        """
        if not self.rank.any():
            return 1.0
        P = self.basis[:, self.rank] @ self.basis[:, self.rank].T
        shape, whole_map = (self.k, self.k, self.d, self.d), self.operator(alpha)

        def mapped(v: np.ndarray) -> np.ndarray:
            return (P @ whole_map.matvec(v).reshape(shape) @ P).ravel()  # flat directions never move: their eigenvalue 1 says nothing

        start = np.einsum("ab,ij->abij", np.eye(self.k) + 0.1, P).ravel()
        return _leading(whole_map.matvec if self.rank.all() else mapped, start)

    def noise(self, D: np.ndarray) -> np.ndarray:
        """The covariance of the mini-batch gradient at a random point u without label noise, from D = E[u u'] about theta*."""
        squared = self.H @ D @ self.H
        return gradient_noise(np.ascontiguousarray(D), np.zeros(self.d), squared, *self._homogeneous[1:])

    def _mixing(self, alpha: float) -> np.ndarray:
        """(c'Pc)_ij of P = M_i P M_j' + b b' for each pair of eigen-directions (d, d): the response to a unit of gradient noise."""
        return np.einsum("a,ijab,b->ij", self.matrices(alpha)[2], self._response(alpha), self.matrices(alpha)[2])

    def _response(self, alpha: float) -> np.ndarray:
        """P = M_i P M_j' + b b' for each pair of eigen-directions (d, d, k, k), 0 for a pair with a flat direction."""
        A, b, c = self.matrices(alpha)
        k, values = self.k, self.curvatures[self.rank]
        M = A + values[:, None, None] * np.outer(b, c)
        system = np.eye(k * k) - np.einsum("iac,jbd->ijabcd", M, M).reshape(len(values), len(values), k * k, k * k)
        solved = np.linalg.solve(system, np.broadcast_to(np.outer(b, b).reshape(k * k, 1), (len(values), len(values), k * k, 1)))
        out = np.zeros((self.d, self.d, k, k))
        out[np.ix_(self.rank, self.rank)] = solved.reshape(len(values), len(values), k, k)
        return out

    def _fed_back(self, weight: np.ndarray) -> Any:
        """The map D -> Q (weight * Q' noise(D) Q) Q' on flattened (d, d) arrays, Q the eigenvectors of the Hessian."""
        Q = self.basis

        def mapped(v: np.ndarray) -> np.ndarray:
            D = v.reshape(self.d, self.d)
            return (Q @ (weight * (Q.T @ self.noise((D + D.T) / 2) @ Q)) @ Q.T).ravel()

        return mapped

    def _gain(self, weight: np.ndarray) -> float:
        P = self.basis[:, self.rank] @ self.basis[:, self.rank].T
        return _leading(self._fed_back(weight), P.ravel())

    @cached_property
    def stability_limit(self) -> float:
        """The learning rate above which E[|theta - theta*|^2] grows without bound (the range of the Hessian is meant).

        For SGD ``E[(I - alpha H_B) S (I - alpha H_B)] = S - alpha (H S + S H) + alpha^2 K(S)`` with positive K, so the limit is
        ``1 / rho(Lc^-1 K)`` with ``Lc(S) = H S + S H``, solved in the Hessian's eigenbasis. For other rules it is the learning rate at
        which the gain of the loop state -> gradient noise -> state reaches 1, found below the limit of the mean.

        Never above 2/L, and equal to it for SGD where the batch is the whole table.
        """
        if not self.rank.any():
            return math.inf
        values, largest = self.curvatures, self.curvatures.max()
        if list(self.form.A) == [1] and list(self.form.c) == [1] and list(self.form.b) == [-rate_symbol]:
            sums = values[:, None] + values
            inverse = np.divide(1.0, sums, out=np.zeros_like(sums), where=self.rank[:, None] & self.rank)
            if self.fixed:
                return 2 / float(largest)
            Q, H = self.basis, self.H
            back = self._fed_back(inverse)

            def relative(v: np.ndarray) -> np.ndarray:  # K(S) = H S H + noise(S)
                return (Q @ (inverse * (Q.T @ H @ v.reshape(H.shape) @ H @ Q)) @ Q.T).ravel() + back(v)

            return 1 / _leading(relative, np.eye(self.d).ravel())
        mean = self._mean_limit()
        if self.fixed:
            return mean

        def gain(rate: float) -> float:
            return self._gain(self._mixing(rate))

        # the gain grows faster than the rate, so rate / gain(rate) lies above the limit from below it, and below it from above
        small = 1e-3 * mean
        at_small = gain(small)
        high = min(small / at_small * (1 + 1e-9) if at_small > 0 else math.inf, mean * (1 - 1e-9))
        at_high = gain(high)
        if at_high < 1:
            return mean
        low = high / at_high * (1 - 1e-9)
        while gain(low) >= 1:
            high, low = low, low / 2
        found = brentq(lambda x: math.log(gain(math.exp(x))), math.log(low), math.log(high), xtol=1e-13, rtol=1e-14)
        return math.exp(found)

    def _mean_limit(self) -> float:
        """The rule's own limit, without noise, for the curvatures present."""
        limit = analyze(self.rule.with_(**{str(key): value for key, value in self.rule.values.items()})).stability_limit
        return min(float(limit.xreplace({lam: sp.Float(value, 17)})) for value in self.curvatures[self.rank])

    def stationary_covariance(self, alpha: float) -> np.ndarray:
        """E[(theta - theta*)(theta - theta*)'] (d, d) that constant steps settle to, on the range of the Hessian.

        Raises InputError at or above the stability limit.
        """
        return self._stationary(alpha)[0]

    def stationary_loss(self, alpha: float) -> float:
        """The expected loss that constant steps settle to, exact with multiplicative and label noise."""
        return self.least + float((self.H * self._stationary(alpha)[0]).sum()) / 2

    def _stationary(self, alpha: float) -> tuple[np.ndarray, float]:
        limit = self.stability_limit
        if not 0 < alpha < limit:
            raise InputError(f"alpha = {alpha:g} has no stationary covariance here: take one above 0 and below the limit {limit:.6g}")
        Q, weight = self.basis, self._mixing(alpha)
        zero = np.zeros((self.d, self.d))
        label = gradient_noise(zero, np.zeros(self.d), zero, *self._full[1:])  # the gradient's covariance at theta* itself
        source = (Q @ (weight * (Q.T @ label @ Q)) @ Q.T).ravel()
        D, back = source.reshape(zero.shape), self._fed_back(weight)
        if not self.fixed and source.any():
            system = LinearOperator((self.d**2, self.d**2), lambda v: v - back(v), dtype=float)
            solved = gmres(system, source, x0=source, rtol=1e-14, atol=0.0, restart=60, maxiter=200)[0]
            for _ in range(3):  # iterative refinement: GMRES stops at its own estimate of the residual
                left = source - system.matvec(solved)
                if np.linalg.norm(left) <= 4e-16 * np.linalg.norm(solved):
                    break
                solved = solved + gmres(system, left, rtol=1e-10, atol=0.0, restart=60, maxiter=50)[0]
            D = solved.reshape(zero.shape)
        left = np.linalg.norm(source - D.ravel() + back(D.ravel())) if source.any() else 0.0
        rotated = Q.T @ (self.noise((D + D.T) / 2) + label) @ Q
        S = Q @ (self._response(alpha)[:, :, 0, 0] * rotated) @ Q.T
        return (S + S.T) / 2, float(left)


def _leading(mapped: Any, start: np.ndarray) -> float:
    """The spectral radius of a map that keeps the cone of positive semidefinite matrices: its largest real eigenvalue."""
    size = len(start)
    if size <= DENSE:
        matrix = np.stack([mapped(unit) for unit in np.eye(size)], 1)
        return float(np.linalg.eigvals(matrix).real.max())
    operator = LinearOperator((size, size), mapped, dtype=float)
    try:
        return float(eigs(operator, k=1, which="LR", v0=start, tol=0, maxiter=3000, return_eigenvectors=False)[0].real)
    except ArpackNoConvergence:
        raise UnsupportedError("the spectral radius did not converge: the leading eigenvalues are too close together") from None


def second_moment(problem: Problem | str, *, rule: Rule | str = "sgd", batch: int | None = 1) -> SecondMoment:
    """The exact one-step map of second moments of a linear rule under real mini-batches (sampling as the problem says).

    ``batch=None`` is the whole table. Source: Bach & Moulines, NIPS 2013; Defossez & Bach, AISTATS 2015.

    Raises NotLinearError for adaptive rules, UnsupportedError for reshuffled batches and losses that are not squared errors.

    >>> import optlab as ol
    >>> table = ol.problems.least_squares([[1.0], [2.0]], [0.0, 0.0])
    >>> round(second_moment(table, batch=1).stability_limit, 12)  # 2 E[x^2] / E[x^4]
    0.588235294118
    """
    checked = problems.get(problem)
    if isinstance(checked, Separable) and batch is None:
        raise InputError("batch=None means the whole table, and this problem has none: give a number")
    if batch is not None:
        batch = whole(batch, "batch")
        if isinstance(checked, Rows) and checked.sampling == "subset" and batch > checked.n:
            raise InputError(f"batch = {batch} is more than the table's {checked.n} rows: sampling='subset' takes each row once")
    return SecondMoment(rules.get(rule), checked, batch)


__all__ = ["SecondMoment", "second_moment"]
