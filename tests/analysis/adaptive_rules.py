"""What the tests of adaptive rules share: the rules, their twins, and numbers put into statements."""

from fractions import Fraction

import numpy as np
import sympy as sp

from optlab import rules
from optlab.symbols import symbol
from tests.oracles import RULES as TWINS

QUICK = {"beta1": 0.9, "beta2": 0.999}  # powers of fractions are exact, and slow for many steps
LATE = 10**7  # bias corrections are 1 by then
BUILT = [
    rules.get(name)
    for name in ("rmsprop", "rmsprop(eps_placement=outside)", "adam", "adam(eps_placement=outside)", "adam(bias_correction=off)", "adamw")
]
ADAGRAD, AMSGRAD, ADAMAX, NADAM, LION = (rules.get(name) for name in ("adagrad", "amsgrad", "adamax", "nadam", "lion"))
OTHERS = [ADAGRAD, AMSGRAD, ADAMAX, NADAM, LION]


def label(rule):
    return rule.label()


def put(expression, rule=None, **values):
    """The expression with floats put in (exact roots of long fractions are slow), the rule's own numbers where none is given."""
    known = {} if rule is None else {key.name: value for key, value in rule.values.items()}
    floats = {name: sp.Integer(x) if name == "t" else sp.Float(float(Fraction(str(x))), 25) for name, x in {**known, **values}.items()}
    return expression.xreplace({symbol(name): x for name, x in floats.items()})


def number(expression, **values):
    return float(put(sp.sympify(expression), **values))


def at_defaults(rule, expression, **values):
    return float(put(sp.sympify(expression), rule, **values))


def twin_of(rule):
    return TWINS[rule.name], {**{str(k): Fraction(str(x)) for k, x in rule.values.items()}, **rule.chosen}


def hand_map(rule, rate, curvature):
    """One late step on curvature/2 theta^2 as a map of (theta, states), by the twin."""
    twin, options = twin_of(rule)
    options = {key: float(value) if isinstance(value, Fraction) else value for key, value in options.items()}

    def step(point):
        x, states = twin.step(point[0], list(point[1:]), curvature * point[0], LATE, rate, options)
        return np.array([x, *states])

    return step


def jacobian(step, point, size):
    columns = []
    for k in range(len(point)):
        shift = np.zeros(len(point))
        shift[k] = size[k]
        columns.append((step(point + shift) - step(point - shift)) / (2 * size[k]))
    return np.array(columns).T
