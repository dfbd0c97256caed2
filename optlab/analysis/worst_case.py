"""The exact worst case of a linear rule after n steps, over every quadratic with curvatures in [mu, L]."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
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
def _step(rule: Rule) -> tuple[Any, tuple[float, ...], tuple[float, ...], bool]:
    """A, b, c as one function of (alpha, t, hyper-parameters); their values; the states' start; whether t matters."""
    form = linear_form(rule)
    entries = [*form.A, *form.b, *form.c]
    start = [float(rule.initial[s].xreplace(rule.values)) for s in form.states[1:]]
    if any(start):
        raise InputError(f"rule {rule.name}: its states start at {start}, and the worst case is taken from rest: start them at 0")
    values = tuple(float(value) for value in rule.values.values())
    return sp.lambdify((alpha, t, *rule.parameters), entries, "math"), values, tuple(start), any(t in e.free_symbols for e in entries)


@lru_cache(maxsize=64)
def _chebyshev(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev points, and the matrix from values there to coefficients (the polynomials are orthogonal at these points)."""
    points = chebyshev.chebpts1(degree + 1)
    transform = chebyshev.chebvander(points, degree).T * (2 / (degree + 1))
    transform[0] /= 2
    return points, transform


def _shrinkage(rule: Rule, rates: list[float], curvatures: np.ndarray) -> np.ndarray:
    """theta_n / theta_0 along each curvature, from rest."""
    entries, values, start, timed = _step(rule)
    k = len(start) + 1
    state = np.zeros((k, len(curvatures)))
    state[0] = 1.0
    last: float | None = None
    A = b = c = np.zeros((k, k))
    for number, rate in enumerate(rates, 1):
        if timed or rate != last:
            flat = np.array(entries(rate, number, *values), float)
            A, b, c, last = flat[: k * k].reshape(k, k), flat[k * k : k * k + k, None], flat[k * k + k :], rate
        state = A @ state + b * (curvatures * (c @ state))
    return state[0]


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
    middle, half = (L + mu) / 2, (L - mu) / 2
    candidates = np.array([mu, L])
    if half > 0:
        degree = steps if of == "distance" else 2 * steps + 1
        points, transform = _chebyshev(degree)
        sampled = _shrinkage(chosen, rates, middle + half * points)
        sampled = sampled if of == "distance" else (middle + half * points) * sampled**2
        slope = np.trim_zeros(chebyshev.chebder(transform @ sampled), "b")
        if len(slope) > 1:
            roots = np.real(chebyshev.chebroots(slope))  # a pair that rounding made complex stays a candidate
            candidates = np.concatenate([candidates, np.clip(middle + half * roots, mu, L)])
    found = np.abs(_shrinkage(chosen, rates, candidates))
    found = found if of == "distance" else candidates * found**2 / 2
    best = int(np.argmax(found))
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
