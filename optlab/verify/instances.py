"""Drawn problems on which bounds are measured, adversarial ones among them, and noiseless runs of a rule on many at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from optlab import rules
from optlab.bounds import Bound
from optlab.symbols import alpha, g, t, theta


@dataclass(frozen=True)
class Functions:
    """Many functions ``sum_i base_i x_i^2/2 + extra_i h(x_i)`` at once, h the Huber function that turns linear at width_i.

    Arrays of shape (functions, coordinates); the minimizer is 0 and the minimum 0. With width = inf they are quadratics.
    """

    base: np.ndarray
    extra: np.ndarray
    width: np.ndarray
    start: np.ndarray
    kinds: tuple[str, ...]

    def loss(self, x: np.ndarray) -> np.ndarray:
        """The losses at x, shape (functions,)."""
        inside = np.minimum(np.abs(x), self.width)
        return np.sum(self.base * x**2 / 2 + self.extra * inside * (np.abs(x) - inside / 2), -1)

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradients at x."""
        return self.base * x + self.extra * np.clip(x, -self.width, self.width)


def draw_functions(kind: str, mu: np.ndarray, L: np.ndarray, rng: np.random.Generator, width: np.ndarray | None = None) -> Functions:
    """One function per entry of mu and L, of a class of ``optlab.bounds.CLASSES``: every third one curvature mu or L, or Huber.

    ``width`` is where the adversarial Huber functions turn (for a start at distance 1).
    """
    count, dim = len(mu), 3
    low, high = mu[:, None], L[:, None]
    base = low + (high - low) * rng.uniform(size=(count, dim)) ** rng.choice([0.2, 1.0, 5.0], size=(count, 1))
    extra = (high - base) * rng.uniform(size=(count, dim))
    turn = np.exp(rng.uniform(-6, 1, size=(count, dim)))
    start = rng.normal(size=(count, dim))
    kinds = ["drawn"] * count
    if kind == "convex":
        flat = rng.uniform(size=count) < 0.5
        extra[flat], base[flat] = base[flat] + extra[flat], 0.0
    for i in range(count):
        special = i % 6
        if special > 2:
            continue
        kinds[i] = ("one curvature mu", "one curvature L", "Huber beside mu")[special]
        base[i], extra[i] = (mu[i], 0.0) if special == 0 else (L[i], 0.0) if special == 1 else (mu[i], L[i] - mu[i])
        start[i] = [1.0, 0.0, 0.0]
        if special == 2 and width is not None:
            turn[i] = width[i]
    if kind == "quadratic":
        base, extra = np.minimum(base + extra, high), np.zeros_like(extra)
        kinds = ["one curvature L" if k == "Huber beside mu" else k for k in kinds]
    return Functions(base, extra, turn, start, tuple(kinds))


@lru_cache(maxsize=64)
def _compiled(name: str, tuning: tuple[tuple[sp.Symbol, sp.Expr], ...], values: tuple[sp.Symbol, ...]) -> tuple[list[Any], Any]:
    rule, chosen = rules.get(name), dict(tuning)
    names = [theta, *rule.coordinate_states]
    known = [*names, g, alpha, t, *values]
    where = sp.lambdify(known, rule.gradient_at.xreplace(chosen), "numpy")
    updates = []
    for left, right in rule.equations:
        updates.append((left, sp.lambdify(known, right.xreplace(chosen), "numpy")))
        if left not in known:
            known.append(left)
    return updates, where


def run_noiseless(bound: Bound, functions: Functions, values: dict[str, np.ndarray], rates: np.ndarray, steps: int) -> np.ndarray:
    """The losses after 0 .. steps steps of the bound's rule at the tuning that it fixes: shape (steps + 1, functions).

    ``values`` holds one number per function for each symbol of the tuning; the rule's own equations are evaluated.
    """
    needed = {s for e in bound.tuning.values() for s in e.free_symbols} - {t, alpha}
    symbols = tuple(sorted(needed, key=str))
    updates, where = _compiled(bound.rule, tuple(bound.tuning.items()), symbols)
    rule = rules.get(bound.rule)
    state: dict[sp.Symbol, Any] = {theta: functions.start, **{s: np.zeros_like(functions.start) for s in rule.coordinate_states}}
    given = [values[str(s)][:, None] for s in symbols]
    losses = [functions.loss(functions.start)]
    for number in range(1, steps + 1):
        # the gradient is taken where the rule says; it does not enter its own place
        place = where(*state.values(), 0.0, rates[:, None], number, *given)
        now = dict(state)
        arguments = [functions.gradient(place), rates[:, None], number, *given]
        extra: dict[sp.Symbol, Any] = {}
        for left, update in updates:
            new = update(*now.values(), *arguments, *extra.values())
            (now if left in now else extra)[left] = new
        state = now
        losses.append(functions.loss(state[theta]))
    return np.array(losses)
