"""Running a rule's generated functions from Python, one coordinate, step by step."""

from fractions import Fraction
from functools import cache

import numpy as np

from optlab.codegen.module import load
from optlab.codegen.rules import constants_of, lowered, module_source
from optlab.ensemble.bind import initial_states, step_table


@cache
def module(rule, dtype):
    return load(module_source(rule.unbound(), dtype))


class Generated:
    """``step(theta, states, g, t)`` computed by the generated code."""

    def __init__(self, rule, rates, dtype="float64"):
        self.real, self.module = np.dtype(dtype).type, module(rule.unbound(), dtype)
        own, served = lowered(rule), lowered(rule.unbound())
        parts = [(list(low.constants), list(low.carried), low.step_values, low.states) for low in (own, served)]
        if parts[0] != parts[1]:  # the tables would be read beyond their ends
            raise AssertionError(f"{rule.label()} is bound by the tables of another rule: {parts[0]} for {parts[1]}")
        self.constants = [self.real(value) for value in constants_of(rule)]
        self.table = step_table(rule, np.asarray(rates, np.float64)).astype(dtype)
        self.states = [self.real(value) for value in initial_states(rule)]
        self.looks = lowered(rule).point != lowered(rule).states[0]

    def point(self, theta, states, t):
        if not self.looks:
            return theta
        return self.module.look(self.real(theta), *map(self.real, states), *self.constants, *self.table[t - 1])

    def step(self, theta, states, g, t):
        arguments = (g, theta, *states)
        out = self.module.update(*map(self.real, arguments), *self.constants, *self.table[t - 1])
        return (out[0], list(out[1:])) if isinstance(out, tuple) else (out, [])


def gradients(rng, count):
    """Random gradients of magnitude 1e-6 to 1e3, a tenth of them exactly zero."""
    size = 10 ** rng.uniform(-6, 3, count) * rng.choice([-1.0, 1.0], count)
    return np.where(rng.random(count) < 0.1, 0.0, size)


def as_options(rule):
    """The rule's bound and default values as the oracle's options."""
    return {str(key): Fraction(int(value.p), int(value.q)) for key, value in rule.values.items()} | dict(rule.chosen)
