"""The exact worst case of a linear rule after n steps, over every quadratic with curvatures in [mu, L]."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numba import njit
from numpy.polynomial import chebyshev

from optlab import rules, schedules
from optlab.analysis.linear import linear_form
from optlab.errors import InputError
from optlab.expressions import Rule, Schedule
from optlab.symbols import alpha, lam, t, theta


@dataclass(frozen=True)
class WorstCase:
    """The largest value and the curvature that attains it."""

    value: float
    curvature: float


@lru_cache(maxsize=64)
def _step(rule: Rule) -> tuple[Any, tuple[float, ...], int, bool]:
    """A, b, c as one function of (alpha, t, hyper-parameters); the values of these; the size of the state; whether t matters."""
    form = linear_form(rule)
    entries = [*form.A, *form.b, *form.c]
    start = [float(rule.initial[s].xreplace(rule.values)) for s in form.states[1:]]
    if any(start):
        raise InputError(f"rule {rule.name}: its states start at {start}, and the worst case is taken from rest: start them at 0")
    values = tuple(float(value) for value in rule.values.values())
    return sp.lambdify((alpha, t, *rule.parameters), entries, "math"), values, len(form.states), any(t in e.free_symbols for e in entries)


@lru_cache(maxsize=64)
def _chebyshev(degree: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Chebyshev points; the matrix from values there to the derivative's coefficients; its colleague matrix but for the last column.

    The polynomials are orthogonal at these points, so values become coefficients by a matrix product. The last array scales
    the coefficients of that column.
    """
    points = chebyshev.chebpts1(degree + 1)
    transform = chebyshev.chebvander(points, degree).T * (2 / (degree + 1))
    transform[0] /= 2
    slope = chebyshev.chebder(transform, axis=0)
    colleague = chebyshev.chebcompanion(np.r_[np.zeros(degree - 1), 1.0]) if degree > 1 else np.zeros((0, 0))
    scale = np.r_[1.0, np.full(max(degree - 2, 0), np.sqrt(0.5))]
    return points, slope, colleague, scale / scale[-1] / 2


def _critical(slope: np.ndarray, colleague: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The zeros of the derivative with these coefficients; a pair that rounding made complex counts by its real part."""
    if len(slope) < 2:
        return np.empty(0)
    last = slope[-1]
    if not abs(last) > 1e-280:
        trimmed = np.trim_zeros(slope, "b")
        return np.real(chebyshev.chebroots(trimmed)) if len(trimmed) > 1 else np.empty(0)
    if len(slope) == 2:
        return -slope[:1] / last
    if len(slope) == 3:  # c0 + c1 x + c2 (2 x^2 - 1)
        half = slope[1] / (4 * last)
        root = math.sqrt(max(half**2 + 0.5 - slope[0] / (2 * last), 0.0))
        return np.array([-half - root, root - half])
    matrix = colleague.copy()
    matrix[:, -1] -= slope[:-1] / slope[-1] * scale
    return np.real(np.linalg.eigvals(matrix))


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(A, b, c, steps, curvatures):  # type: ignore[no-untyped-def]
    """theta_n / theta_0 along each curvature, from rest; A, b, c of each step, or of one for all."""
    k = A.shape[1]
    out, old, new = np.empty(len(curvatures)), np.empty(k), np.empty(k)
    for i in range(len(curvatures)):
        old[:] = 0.0
        old[0] = 1.0
        for step in range(steps):
            row = step if len(A) > 1 else 0
            slope = 0.0
            for p in range(k):
                slope += c[row, p] * old[p]
            slope *= curvatures[i]
            for p in range(k):
                new[p] = b[row, p] * slope
                for q in range(k):
                    new[p] += A[row, p, q] * old[q]
            old[:] = new
        out[i] = old[0]
    return out


def _matrices(rule: Rule, rates: list[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, b, c by step, or once if no step differs from another."""
    entries, values, k, timed = _step(rule)
    chosen = rates if timed or len(set(rates)) > 1 else rates[:1]
    flat = np.array([entries(rate, number, *values) for number, rate in enumerate(chosen, 1)], float)
    A, b, c = flat[:, : k * k].reshape(-1, k, k), flat[:, k * k : k * k + k], flat[:, k * k + k :]
    return np.ascontiguousarray(A), np.ascontiguousarray(b), np.ascontiguousarray(c)  # one layout, compiled once


def worst_case(rule: Rule | str, mu: float, L: float, steps: int, *, schedule: Schedule | float | str, of: str = "distance") -> WorstCase:
    """The largest error after ``steps`` steps without noise, over quadratics with curvatures in [mu, L] and over starts.

    theta_n = q(lam) theta_0 along each curvature with a polynomial q of degree n at most, so the worst quadratic has one
    curvature: a zero of a derivative or an end of [mu, L]. The polynomial is interpolated at Chebyshev points of the
    interval, its derivative's zeros are eigenvalues of a colleague matrix (Trefethen, Approximation theory and
    approximation practice, 2013, Theorem 18.1), and the value is computed anew at each of them.

    Parameters
    ----------
    schedule
        The learning rate: a number or a schedule; hyper-parameters come bound in the rule.
    of
        ``"distance"``: ||theta_n - theta*|| / ||theta_0 - theta*|| (its square is also the worst ratio of the losses);
        ``"loss"``: (f(theta_n) - f*) / ||theta_0 - theta*||^2.

    Raises InputError unless 0 <= mu <= L and steps >= 1, NotLinearError for an adaptive rule.

    >>> worst_case("sgd", 0.1, 1.0, 3, schedule=2 / 1.1)
    WorstCase(value=0.5477..., curvature=...)
    """
    chosen = rules.get(rule)
    if not 0 <= mu <= L < np.inf:
        raise InputError(f"mu = {mu}, L = {L}: the worst case needs 0 <= mu <= L")
    if steps < 1 or steps != int(steps):
        raise InputError(f"steps = {steps}: the worst case needs a whole number of steps, at least 1")
    if of not in ("distance", "loss"):
        raise InputError(f"of = {of!r} is unknown: use 'distance' or 'loss'")
    if isinstance(schedule, (int, float)):
        rates = [float(schedule)] * steps
    else:
        plan = schedules.as_schedule(schedule)
        rates = [float(plan.at(i)) for i in range(steps)]
    matrices = _matrices(chosen, rates)
    middle, half = (L + mu) / 2, (L - mu) / 2
    candidates = np.array([mu, L], float)
    if half > 0:
        points, slope, colleague, scale = _chebyshev(steps if of == "distance" else 2 * steps + 1)
        places = middle + half * points
        sampled = _follow(*matrices, steps, places)
        zeros = _critical(slope @ (sampled if of == "distance" else places * sampled**2), colleague, scale)
        candidates = np.concatenate((candidates, np.minimum(np.maximum(middle + half * zeros, mu), L)))
    found = np.abs(_follow(*matrices, steps, candidates))
    found = found if of == "distance" else candidates * found**2 / 2
    best = int(found.argmax())
    return WorstCase(float(found[best]), float(candidates[best]))


def shrinkage_polynomial(rule: Rule | str, steps: int) -> sp.Poly:
    """theta_n / theta_0 as a polynomial in lam, with alpha and unbound hyper-parameters as symbols (constant steps, from rest).

    >>> shrinkage_polynomial("sgd", 2).as_expr()
    alpha**2*lam**2 - 2*alpha*lam + 1
    """
    form = linear_form(rules.get(rule))
    state = sp.Matrix([1 if s == theta else 0 for s in form.states])
    for number in range(1, steps + 1):
        state = (form.transition(lam).subs(t, number) * state).applyfunc(sp.expand)
    return sp.Poly(state[0], lam)
