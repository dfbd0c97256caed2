"""A norm's record and its derived backward pass, read as a program: means in order, then the scalar maps."""

import mpmath
import numpy as np
import sympy as sp

from optlab.analysis import backward
from optlab.norms.record import eps, momentum, n, running, sigma, x, xhat
from optlab.symbols import symbol

dy = symbol("dy")


def value(expression, values):
    """The expression on arrays, in the arrays' precision (a root is a power of a half)."""
    keys = sorted(expression.free_symbols, key=str)
    return sp.lambdify(keys, expression, [{"sqrt": lambda v: v**0.5}, "numpy"])(*(values[key] for key in keys))


def mean(expression, values, axis):
    whole = value(expression, values) + 0 * values[x]
    return np.sum(whole, axis=axis, keepdims=True) / whole.shape[axis]


def state(norm, axis, data, parameters, epsilon, given=None):
    """Every quantity of the forward pass; ``given`` reductions are not computed (inference)."""
    values = {x: data, eps: epsilon, **parameters}
    for left, integrand in norm.reductions:
        values[left] = mean(integrand, values, axis) if given is None else given[left]
    values[sigma] = value(norm.scale, values)
    values[xhat] = value(norm.normalized, values)
    return values


def forward(norm, axis, data, parameters, epsilon, given=None):
    return value(norm.output, state(norm, axis, data, parameters, epsilon, given))


def gradients(norm, axis, data, parameters, upstream, epsilon):
    """(dx, {parameter: gradient}) for rows x features: parameters are one for each feature."""
    back, values = backward(norm), state(norm, axis, data, parameters, epsilon) | {dy: upstream}
    for left, integrand in back.reductions:
        values[left] = mean(integrand, values, axis)
    summed = {p: np.sum(value(integrand, values), axis=0) for p, (integrand, _) in back.parameter_gradients.items()}
    return value(back.input_gradient, values), summed


def running_values(norm, data, old, weight):
    """The new running value of each reduction of batch_norm, by its symbol."""
    values = state(norm, 0, data, {}, 1.0) | {n: data.shape[0], momentum: weight}
    return {left: value(rule, values | {running: old[left]})[0] for left, rule in norm.running.items()}


def drawn(seed, rows, features):
    """Input, gamma, beta, dy."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in ((rows, features), (features,), (features,), (rows, features))]


def precise(array):
    """The array as mpmath numbers."""
    return np.vectorize(mpmath.mpf, otypes=[object])(array)
