"""Averaged iterates as a rule: theta is the average, and the state says how far the last iterate is ahead of it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sympy as sp

from optlab.expressions import Rule, State
from optlab.symbols import alpha, g, symbol, t, theta

ahead = symbol("ahead")


@lru_cache(maxsize=16)
def averaged_sgd(part: Any = 1 / t) -> Rule:
    """SGD whose reported theta is a weighted average of the iterates so far (the one of this step not among them).

    ``part`` is the share that the newest iterate gets in step t (from 1), an expression: its weight over the sum of the
    weights so far; 1/t gives the plain average (Polyak & Juditsky 1992). It must be 1 at t = 1. The average is linear in the
    gradients, so ``predict`` gives its expected loss exactly.

    >>> import optlab as ol
    >>> problem = ol.problems.quadratic(spectrum=[1.0])
    >>> ol.predict(averaged_sgd(), problem, schedule=0.5, steps=2, record=[0, 1, 2]).loss_mean.values  # averages 1, then 3/4
    array([0.5    , 0.5    , 0.28125])
    """
    share = sp.sympify(part)
    return Rule(
        name="averaged_sgd",
        summary="SGD, reporting the average of its iterates",
        state={ahead: State(init=0)},
        gradient_at=theta + ahead,
        equations=((theta, theta + share * ahead), (ahead, (1 - share) * ahead - alpha * g)),
    )
