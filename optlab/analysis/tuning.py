"""The step size and momentum that minimize the worst rate over curvatures in [mu, L], found numerically."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from optlab import rules
from optlab.analysis.search import Program
from optlab.errors import InputError
from optlab.expressions import Rule


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


def tune(rule: Rule | str, mu: float, L: float) -> Tuning:
    """Minimize the largest spectral radius over curvatures in [mu, L], over alpha and the unbound hyper-parameters.

    A ratio L/mu beyond 1e12 is tuned as 1e12: in double precision the rate of the flattest direction is 1 either way.

    A grid, then a smooth program from its best points (:mod:`optlab.analysis.search`); the result is within about 1e-12 of
    the minimum rate on the closed forms that are known (Polyak 1964). ``analyze(rule).optimal()`` is the exact counterpart.

    Raises InputError unless 0 < mu <= L, NotLinearError for an adaptive rule, UnsupportedError for more than four states.

    >>> tuned = tune("sgd", 0.01, 1.0)
    >>> round(tuned.alpha, 4), round(tuned.rate, 4)
    (1.9802, 0.9802)
    """
    return _tune(rules.get(rule), float(mu), float(L))


@lru_cache(maxsize=256)
def _tune(rule: Rule, mu: float, L: float) -> Tuning:
    if not (0 < mu <= L < np.inf):
        raise InputError(f"mu = {mu}, L = {L}: tuning needs 0 < mu <= L")
    program = Program(rule, max(mu, 1e-12 * L), L)
    best = program.solve()[0]
    return Tuning(rule, best.alpha, dict(zip(map(str, program.parameters), best.values, strict=True)), best.rate)
