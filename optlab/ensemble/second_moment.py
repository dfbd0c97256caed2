"""The second-moment operator of mini-batch training: noise that multiplies, its stability limit and its stationary covariance.

On least squares a mini-batch's Hessian H_B is random, so E[s s'] with s = (theta - theta*, states) obeys a linear map,
``S -> E[(I - alpha H_B) S (I - alpha H_B)]`` for SGD, plus the label noise. The map keeps the cone of positive semidefinite
matrices, so its spectral radius is an eigenvalue. It is applied to pairs of the Hessian's eigen-directions in O(n d^2), never formed.
"""

from __future__ import annotations

import math
from functools import cached_property, partial
from typing import Any

import numpy as np
import scipy.linalg
import sympy as sp
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs, gmres

from optlab import problems, rules
from optlab.analysis import analyze
from optlab.ensemble.bind import hessian
from optlab.ensemble.krylov import DENSE, leading
from optlab.ensemble.moments import Moments, Multiplied, OverRows, evolve, gradient_noise, numeric, unpack
from optlab.errors import InputError, UnsupportedError
from optlab.expressions import Rule
from optlab.objectives import Problem, Rows, Separable, real, whole
from optlab.symbols import alpha as rate_symbol
from optlab.symbols import lam

STEP = 1e-30  #: the imaginary step of a derivative, relative to the learning rate


class SecondMoment:
    """The one-step map of second moments of a linear rule on one problem with one batch size. Made by :func:`second_moment`."""

    def __init__(self, rule: Rule, problem: Problem, batch: int | None) -> None:
        self.rule, self.problem, self.batch = rule, problem, batch
        moments = Moments(rule, problem, batch)
        if isinstance(moments.model, Multiplied):
            raise UnsupportedError(
                f"no second-moment operator on {problem.label()}: the noise here is that of mini-batches or additive; use predict"
            )
        self.form = moments.form.steady()
        self.k = len(self.form.states)
        model = moments.model
        self.factor = model.factor  #: what the covariance of one row's gradient is multiplied by: 1/B, (n - B)/(B (n - 1)), or 0
        if isinstance(model, OverRows):
            self.H, values, self.basis = model.H, model.curvature, model.basis
            quartic, _, constant, rows, weights, residuals = model.kernel()[3:9]
        else:  # additive noise: the Hessian is the same at every step
            self.H = hessian(problem)
            values, self.basis = np.linalg.eigh(self.H)
            quartic = rows = np.empty((0, 0))
            weights = residuals = np.empty(0)
            constant = np.zeros(len(values) * (len(values) + 1) // 2)
        self.least, self.d = model.least, len(values)
        largest = max(values.max(), 0.0)
        self.rank = (values > largest * self.d * np.finfo(float).eps) & (largest > 0)
        self.fixed = self.factor == 0.0  # every batch has the same Hessian
        self._all = _kernel(values, quartic, rows, weights, residuals, self.factor)
        flat = int(self.d - self.rank.sum())  # eigenvalues ascend: the flat directions come first
        kept = self._all[0] >= flat
        chosen = quartic[np.ix_(kept, kept)] if quartic.size else quartic
        self.curvatures = values[flat:]
        self._homogeneous = _kernel(self.curvatures, chosen, rows[:, flat:], weights, residuals, self.factor)
        self._left, self._right = self._homogeneous[:2]
        self._same = self._left == self._right
        zero = np.zeros(len(self._left))
        constant = (*self._homogeneous[:5], constant[kept], *self._homogeneous[6:10], model.additive * self._same)
        self._label = gradient_noise(zero, np.zeros(len(self.curvatures)), *constant)  # the gradient's covariance at theta* itself

    def matrices(self, alpha: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A (k, k), b (k,), c (k,) of the rule's steady form at this learning rate."""
        A, b, c = self._forms(real(alpha, "alpha", low=0))
        return A[0], b[0], c[0]

    def _forms(self, alpha: complex) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return numeric(self.form, self.rule, np.array([alpha]))

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
        left, right = self._all[:2]
        turned = (self.basis.T @ S.reshape(expected) @ self.basis)[:, :, left, right]
        new = _once(self._forms(real(alpha, "alpha", low=0)), self._all, turned, self.d)
        out = np.empty(expected)
        out[:, :, left, right], out[:, :, right, left] = new, new.transpose(1, 0, 2)
        return (self.basis @ out @ self.basis.T).reshape(shape)

    def spectral_radius(self, alpha: float) -> float:
        """The factor per step that E[|theta - theta*|^2] ends up multiplied by without label noise, on the range of the Hessian.

        Where every row can be fitted exactly (no residuals) this is the linear rate at which the expected loss goes to its minimum.
        """
        if not self.rank.any():
            return 1.0
        forms, shape = self._forms(real(alpha, "alpha", low=0)), (self.k, self.k, len(self._left))

        def mapped(v: np.ndarray) -> np.ndarray:
            return _once(forms, self._homogeneous, v.reshape(shape), len(self.curvatures)).ravel()

        start = ((np.eye(self.k) + 0.1)[:, :, None] * self._same).ravel()
        if len(start) <= DENSE:
            return float(np.abs(np.linalg.eigvals(np.stack([mapped(unit) for unit in np.eye(len(start))], 1))).max())
        operator = LinearOperator((len(start), len(start)), mapped, dtype=float)
        try:
            return float(eigs(operator, k=1, which="LR", v0=start, tol=0, maxiter=3000, return_eigenvectors=False)[0].real)
        except ArpackNoConvergence:
            raise UnsupportedError("the spectral radius did not converge: the leading eigenvalues are too close together") from None

    def _noise(self, D: np.ndarray) -> np.ndarray:
        """The covariance of the mini-batch gradient at a random point u without label noise, from E[u_i u_j] about theta* (pairs)."""
        found: np.ndarray = gradient_noise(np.ascontiguousarray(D), np.zeros(len(self.curvatures)), *self._homogeneous)
        return found

    def _response(self, alpha: complex) -> tuple[np.ndarray, np.ndarray]:
        """P = M_i P M_j' + b b' for each pair of eigen-directions: c'Pc and P_00 (pairs), the response to a unit of gradient noise."""
        (A,), (b,), (c,) = self._forms(alpha)
        k = self.k
        M = A + self.curvatures[:, None, None] * np.outer(b, c)
        products = M[self._left][:, :, None, :, None] * M[self._right][:, None, :, None, :]
        system = np.eye(k * k) - products.reshape(-1, k * k, k * k)
        P = np.linalg.solve(system, np.broadcast_to(np.outer(b, b).reshape(k * k, 1), (len(system), k * k, 1)))[:, :, 0]
        return P @ np.outer(c, c).ravel(), P[:, 0]

    @cached_property
    def stability_limit(self) -> float:
        """The learning rate above which E[|theta - theta*|^2] grows without bound (the range of the Hessian is meant).

        For SGD ``E[(I - alpha H_B) S (I - alpha H_B)] = S - alpha (H S + S H) + alpha^2 K(S)`` with positive K, so the limit is
        ``1 / rho(Lc^-1 K)`` with ``Lc(S) = H S + S H``. For other rules it is the learning rate at which the gain of the loop
        state -> gradient noise -> state reaches 1, found below the limit of the mean.

        Never above 2/L, and equal to it for SGD where the batch is the whole table.
        """
        if not self.rank.any():
            return math.inf
        if self._is_sgd:
            return 2 / float(self.curvatures.max()) if self.fixed else 1 / self._perron[0]
        mean = self._mean_limit()
        return mean if self.fixed else self._loop_limit(mean)

    @property
    def _is_sgd(self) -> bool:
        return list(self.form.A) == [1] and list(self.form.c) == [1] and list(self.form.b) == [-rate_symbol]

    def _relative(self, S: np.ndarray) -> np.ndarray:
        """Lc^-1 K on pairs: K(S) = H S H + noise(S), Lc(S) = H S + S H. Both keep the cone."""
        one, two = self.curvatures[self._left], self.curvatures[self._right]
        return (one * two * S + self._noise(S)) / (one + two)

    @cached_property
    def _perron(self) -> tuple[float, np.ndarray]:
        """The spectral radius of Lc^-1 K and its eigenvector (pairs), from the symmetric Lc^-1/2 K Lc^-1/2."""
        weight = np.sqrt((self.curvatures[self._left] + self.curvatures[self._right]) * np.where(self._same, 1, 2))
        value, vector = leading(lambda v: weight * self._relative(v / weight), weight * self._same, symmetric=True)
        return value, vector / weight

    @property
    def stability_bracket(self) -> tuple[float, float]:
        """Two learning rates with SGD's limit between them, whatever the eigenvector's error: rigorous up to rounding.

        For a positive definite X the least c with ``Lc^-1 K(X) <= c X`` is no less than the spectral radius and the largest c
        with ``>=`` no more (Collatz and Wielandt's bounds, for the cone of positive semidefinite matrices).

        Raises UnsupportedError for rules other than SGD.
        """
        if not self._is_sgd:
            raise UnsupportedError(
                f"no bracket for {self.rule.label()}: only SGD's limit is one eigenvalue; compare spectral_radius with 1"
            )
        if not self.rank.any() or self.fixed:
            return self.stability_limit, self.stability_limit
        size, X = len(self.curvatures), self._perron[1]
        X = X * np.sign(X[self._same].sum())
        for shift in (0.0, 1e-14, 1e-12, 1e-10, 1e-8, 1e-4, 1.0):  # X need only be near the eigenvector
            shifted = X + shift * X[self._same].sum() * self._same
            try:
                ratios = scipy.linalg.eigh(
                    unpack(self._relative(shifted), self._left, self._right, size), unpack(shifted, self._left, self._right, size),
                    eigvals_only=True,
                )  # fmt: skip
            except np.linalg.LinAlgError:  # not positive definite to rounding
                continue
            return float(1 / ratios[-1]), float(1 / ratios[0]) if ratios[0] > 0 else math.inf
        raise UnsupportedError("no bracket: the Hessian is singular to rounding")

    def _loop(self, weight: np.ndarray, D: np.ndarray) -> np.ndarray:
        return weight * self._noise(D)

    def _loop_limit(self, mean: float) -> float:
        """The root of gain(alpha) = 1, by Newton's method on alpha/gain - alpha, nearly a straight line, within a bracket."""
        twice = np.where(self._same, 1.0, 2.0)
        vector, low, high, rate, previous = self._same.astype(float), 0.0, mean, 1e-3 * mean, math.inf
        for _ in range(100):
            mixing = self._response(complex(rate, STEP * rate))[0]
            weight, slope = mixing.real, mixing.imag / (STEP * rate)
            vector = leading(partial(self._loop, weight), vector)[1]
            fed = self._noise(vector)  # the left eigenvector, as weight and noise are symmetric: errors enter squared
            below = twice @ (fed * vector)
            if not below > 0:  # rows so alike that no noise is fed back
                if rate >= mean * (1 - 1e-9):
                    return mean
                low, rate = rate, mean * (1 - 5e-10)
                continue
            gain, change = (twice @ (fed * fed * weight)) / below, (twice @ (fed * fed * slope)) / below
            if gain < 1:
                low = rate
            else:
                high = rate
            step = (rate / gain - rate) / (1 - 1 / gain + rate * change / gain**2)  # minus the function over its derivative
            if abs(step) <= 2e-14 * rate or previous / 2 <= abs(step) <= 1e-11 * rate:  # as far as rounding lets it
                return float(rate + step)
            previous = abs(step)
            if low >= mean * (1 - 1e-9):
                return mean
            rate = rate + step if low < rate + step < high else (mean * (1 - 5e-10) if high == mean and step > 0 else (low + high) / 2)
        raise UnsupportedError("the stability limit did not converge: compare spectral_radius with 1 at the learning rates of interest")

    def _mean_limit(self) -> float:
        """The rule's own limit, without noise, for the curvatures present."""
        limit = analyze(self.rule.with_(**{str(key): value for key, value in self.rule.values.items()})).stability_limit
        return min(float(limit.xreplace({lam: sp.Float(value, 17)})) for value in self.curvatures)

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
        weight, response = self._response(alpha)
        source = weight * self._label
        D = source
        if not self.fixed and source.any():
            system = LinearOperator((len(source), len(source)), lambda v: v - self._loop(weight, v), dtype=float)
            D = gmres(system, source, x0=source, rtol=1e-14, atol=0.0, restart=60, maxiter=200)[0]
            for _ in range(3):  # iterative refinement: GMRES stops at its own estimate of the residual
                left = source - system.matvec(D)
                if np.linalg.norm(left) <= 4e-16 * np.linalg.norm(D):
                    break
                D = D + gmres(system, left, rtol=1e-10, atol=0.0, restart=60, maxiter=50)[0]
        used = self.basis[:, self.rank]
        S = used @ unpack(response * (self._noise(D) + self._label), self._left, self._right, len(self.curvatures)) @ used.T
        return S, float(np.linalg.norm(source - D + weight * self._noise(D)))


def _kernel(
    h: np.ndarray, quartic: np.ndarray, rows: np.ndarray, weights: np.ndarray, residuals: np.ndarray, factor: float
) -> tuple[Any, ...]:
    """What the kernels take, without label noise, for these directions."""
    left, right = np.triu_indices(len(h))
    none = np.zeros(len(left))
    cubic = np.zeros((len(h), len(left)))
    return (left, right, h, np.ascontiguousarray(quartic), cubic, none, np.ascontiguousarray(rows), weights, residuals, factor, none)


def _once(forms: tuple[np.ndarray, np.ndarray, np.ndarray], kernel: tuple[Any, ...], S: np.ndarray, d: int) -> np.ndarray:
    nothing, at = np.zeros(0, np.int64), np.zeros((len(S), d))
    new: np.ndarray = evolve(*forms, *kernel, at, np.array(S), nothing, np.zeros((0, d)), np.zeros((0, S.shape[2])))[1]
    return new


def second_moment(problem: Problem | str, *, rule: Rule | str = "sgd", batch: int | None = 1) -> SecondMoment:
    """The exact one-step map of second moments of a linear rule under real mini-batches (sampling as the problem says).

    ``batch=None`` is the whole table. Source: Bach & Moulines, NIPS 2013; Defossez & Bach, AISTATS 2015.

    Raises NotLinearError for adaptive rules, UnsupportedError for reshuffled batches, losses that are not squared errors and
    multiplicative noise.

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
