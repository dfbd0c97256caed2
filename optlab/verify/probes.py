"""Gradient sequences under which optimizers that differ part: all sizes, zeros, a spike, gradients as small as eps, changing rates."""

from __future__ import annotations

from typing import Any

import numpy as np

from optlab.ensemble.philox import read_seed
from optlab.expressions import Rule
from optlab.verify.evaluation import Setting

STEPS = 40
SIZES = (3, 3)
START = (1.0, -2.0, 0.0, 0.5, 0.0, 3.0)


def telling(rule: Rule | None = None, *, rng: Any = 0, steps: int = STEPS, constant_rate: float | None = None) -> Setting:
    """Six coordinates in two parameters of equal size, each with gradients of its own kind; learning rates from 1e-3 to 1e-1.

    The kinds: normal; of all sizes with zeros among them; tiny; small with a spike; around eps and its root; zero in the first step.
    With ``rule``, eps is its value (1e-8 otherwise).

    >>> telling(steps=5).gradients.shape
    (5, 6)
    """
    generator = np.random.default_rng(read_seed(rng))
    eps = next((float(value) for key, value in rule.values.items() if str(key) == "eps"), 0.0) if rule else 0.0
    eps = eps or 1e-8
    sign = generator.choice([-1.0, 1.0], (6, steps))
    exponent = generator.uniform(0, 1, (6, steps))
    low, high = np.log10(eps) - 0.5, np.log10(eps) / 2 + 0.5
    columns = [
        generator.normal(size=steps),
        sign[1] * 10 ** (-6 + 9 * exponent[1]) * (generator.random(steps) > 0.1),
        sign[2] * 10 ** (-10 + 7 * exponent[2]),
        0.01 * generator.normal(size=steps),
        sign[4] * 10 ** (low + (high - low) * exponent[4]),
        generator.normal(size=steps),
    ]
    columns[3][min(4, steps - 1)] = 10.0
    columns[4][:2] = eps / 10, -eps / 20
    columns[5][0] = 0.0
    rates = np.full(steps, constant_rate) if constant_rate is not None else 10 ** generator.uniform(-3, -1, steps)
    return Setting(np.array(columns).T, rates, np.array(START), SIZES)
