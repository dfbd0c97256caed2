"""Checking a normalization layer, its running values and estimators of variance, with the mistake named."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sympy as sp

from optlab import norms
from optlab.ensemble.philox import read_seed
from optlab.errors import CheckFailed, InputError
from optlab.norms.record import Norm, eps, momentum, n, running, sigma, x, xhat
from optlab.verify.evaluation import printed
from optlab.verify.rules import Check


def check_variance_estimator(
    estimate: Callable[[np.ndarray], Any], *, correction: int = 1, rng: Any = 0, raises: bool = True
) -> list[Check]:
    """Check a function that estimates a variance from samples along the first axis.

    ``correction`` is what is taken from n in the divisor: 1 for the unbiased estimator, 0 for the mean square. The sum of squares is
    the same for both, so that the divisor can be read off exactly: nothing here is statistical.

    >>> check_variance_estimator(lambda s: s.var(axis=0, ddof=1))[0].passed
    True
    >>> check_variance_estimator(lambda s: s.var(axis=0))
    Traceback (most recent call last):
    optlab.errors.CheckFailed: variance estimator: divisor: it looks like a division by n in place of n - 1 (n = 2: 0.5 of ...)
    """
    generator = np.random.default_rng(read_seed(rng))
    checks = [Check("divisor", True, f"the divisor is n - {correction}" if correction else "the divisor is n")]
    for size in (2, 3, 10, 57):
        data = 3 + generator.normal(size=(size, 2))
        found, squares = np.asarray(estimate(data.copy()), float).ravel(), ((data - data.mean(0)) ** 2).sum(0)
        if found.shape != squares.shape:
            raise InputError(f"estimate returns {found.size} numbers for samples of shape {data.shape}: give one per column")
        expected = squares / (size - correction)
        if np.allclose(found, expected, rtol=1e-9, atol=0):
            continue
        family = {"n": size, "n - 1": size - 1, "n + 1": size + 1, "1 (a sum, not a mean)": 1, "n - 2": size - 2}
        named = [words for words, divisor in family.items() if divisor and np.allclose(found, squares / divisor, rtol=1e-9, atol=0)]
        whole = np.allclose(found, (data**2).mean(0), rtol=1e-9, atol=0)
        right = "n - 1" if correction == 1 else "n" if correction == 0 else f"n - {correction}"
        cause = (
            f"it looks like a division by {named[0]} in place of {right}"
            if named
            else "the mean is not taken off"
            if whole
            else "it differs"
        )
        if np.allclose(found**2, expected, rtol=1e-9, atol=0):
            cause = "it looks like the standard deviation in place of its square"
        checks = [Check("divisor", False, f"{cause} (n = {size}: {found[0] / expected[0]:.4g} of what it should be)")]
        break
    if checks[0].passed is False and raises:
        raise CheckFailed(f"variance estimator: divisor: {checks[0].detail}")
    return checks


def check_normalization(layer: Any, *, norm: Norm | str, rng: Any = 0, raises: bool = True) -> list[Check]:
    """Check a normalization layer against its record: outputs, and running values where the record has them.

    Parameters
    ----------
    layer
        What makes it: ``make(features)`` returns a torch module, or a callable ``y = layer(x)`` on arrays of shape (rows, features);
        running values, where the record has them, are its attributes ``running_mean`` and ``running_var``.
    norm
        The record: ``"batch_norm"`` (over rows), ``"layer_norm"`` or ``"rms_norm"`` (over features).

    The checks: *output* on drawn inputs, large ones and constant ones among them, at the layer's first parameters (scale 1, shift 0);
    *running values* after three batches of different sizes. Within 1e-9. Raises CheckFailed with the likely mistake.

    >>> def make(features):
    ...     return lambda x: (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    >>> [(check.name, check.passed) for check in check_normalization(make, norm="layer_norm")]
    [('output', True), ('running values', None)]
    """
    record, generator, features = norms.get(norm), np.random.default_rng(read_seed(rng)), 6
    along = 0 if record.reduced.startswith("batch") else 1
    batches = [generator.normal(size=(rows, features)) * 10.0**power + shift for rows, power, shift in ((5, 0, 1), (2, -2, 0), (9, 2, -30))]
    module = layer(features)
    torch = sys.modules.get("torch")
    is_torch = torch is not None and isinstance(module, torch.nn.Module)
    if is_torch:
        module = module.double().train()
    elif not callable(module):
        raise InputError(f"layer({features}) returns a {type(module).__name__}, which cannot be called: give what makes the layer")
    checks, olds = [], _running(module)
    output: Check | None = None
    values: Check | None = None
    for batch in batches:
        given = torch.tensor(batch) if is_torch and torch is not None else batch.copy()
        returned = module(given)
        y = np.asarray(_array(returned))
        news = _running(module)
        output = output if output and not output.passed else _output(record, along, batch, y)
        values = values if values and values.passed is False else _values(record, along, batch, olds, news)
        olds = news
    checks = [check for check in (output, values) if check]
    failed = next((check for check in checks if check.passed is False), None)
    if failed and raises:
        raise CheckFailed(f"{record.name}: {failed.name}: {failed.detail}")
    return checks


def _running(module: Any) -> dict[str, np.ndarray]:
    """The layer's running values, as they are now."""
    held = {"mean": getattr(module, "running_mean", None), "var": getattr(module, "running_var", None)}
    return {key: np.array(_array(value), float) for key, value in held.items() if value is not None}


def _array(value: Any) -> Any:
    return value.detach().numpy() if hasattr(value, "detach") else value


def _evaluate(expression: sp.Expr, values: dict[sp.Symbol, Any]) -> Any:
    space = {"numpy": np} | {str(key): value for key, value in values.items()}
    with np.errstate(all="ignore"):
        return eval(printed(expression), space)


def _reduced(record: Norm, along: int, batch: np.ndarray) -> dict[sp.Symbol, Any]:
    values: dict[sp.Symbol, Any] = {x: batch} | {key: float(value) for key, value in record.defaults.items()}
    for left, integrand in record.reductions:
        values[left] = np.mean(np.broadcast_to(_evaluate(integrand, values), batch.shape), axis=along, keepdims=True)
    return values


def _of(record: Norm, values: dict[sp.Symbol, Any], normalized: sp.Expr, scale: sp.Expr) -> Any:
    known = values | {key: float(value) for key, value in record.parameters.items()}
    known[sigma] = _evaluate(scale, known)
    known[xhat] = _evaluate(normalized, known)
    return _evaluate(record.output, known)


def _output(record: Norm, along: int, batch: np.ndarray, y: np.ndarray) -> Check:
    values = _reduced(record, along, batch)
    count = batch.shape[along]
    expected = np.broadcast_to(_of(record, values, record.normalized, record.scale), batch.shape)
    if y.shape != batch.shape:
        return Check("output", False, f"the output has shape {y.shape} for an input of shape {batch.shape}")
    if np.allclose(y, expected, rtol=1e-9, atol=1e-9):
        return Check("output", True, "as the record says")
    cause = None
    for words, normalized, scale in _variants(record, count):
        if np.allclose(y, np.broadcast_to(_of(record, values, normalized, scale), batch.shape), rtol=1e-9, atol=1e-9):
            cause = words
            break
    else:
        other = _reduced(record, 1 - along, batch)
        if np.allclose(y, np.broadcast_to(_of(record, other, record.normalized, record.scale), batch.shape), rtol=1e-9, atol=1e-9):
            cause = "means taken along the wrong axis"
    place = tuple(int(i) for i in np.unravel_index(int(np.argmax(np.abs(y - expected))), y.shape))
    words = f"at {place} it should be {expected[place]:.8g} and is {y[place]:.8g}"
    return Check("output", False, (f"it looks like {cause}: " if cause else "") + words)


def _variants(record: Norm, count: int) -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
    """Other spellings of the scale and the centering."""
    last = record.reductions[-1][0]
    scale, plain = record.scale, record.normalized
    more = sp.Rational(count, count - 1) if count > 1 else sp.Integer(1)
    yield "the variance divided by n - 1 in place of n", plain, scale.xreplace({last: last * more})
    yield "eps outside the square root", plain, scale.xreplace({eps: sp.Integer(0)}) + eps
    yield "eps missing", plain, scale.xreplace({eps: sp.Integer(0)})
    yield "the square root missing", plain, scale**2
    for value in ("1e-3", "1e-6", "1e-8", "1e-12"):
        yield f"eps = {value}", plain, scale.xreplace({eps: sp.Rational(value)})
    for left, integrand in record.reductions[:-1]:
        if integrand == x and plain.has(left):
            yield "the mean not taken off", plain.xreplace({left: sp.Integer(0)}), scale
    yield "not divided by the scale", plain, sp.Integer(1)


def _values(record: Norm, along: int, batch: np.ndarray, olds: dict[str, np.ndarray], news: dict[str, np.ndarray]) -> Check:
    if not record.running:
        return Check("running values", None, "the record has none")
    if not news:
        return Check("running values", None, "the layer has no running_mean or running_var")
    reduced = _reduced(record, along, batch)
    count = batch.shape[along]
    for left, formula in record.running.items():
        if str(left) not in news:
            continue
        values = {key: np.ravel(value) if np.ndim(value) == 2 else value for key, value in reduced.items() if key != x}
        values |= {running: olds[str(left)], n: float(count)}
        expected, found = np.broadcast_to(_evaluate(formula, values), news[str(left)].shape), news[str(left)]
        if np.allclose(found, expected, rtol=1e-6 if found.dtype == np.float32 else 1e-9, atol=1e-12):
            continue
        biased = formula.xreplace({n / (n - 1): sp.Integer(1)}).subs(n / (n - 1), 1)
        family = {
            "the variance divided by n in place of n - 1": biased,
            "momentum and 1 - momentum exchanged": formula.xreplace({momentum: 1 - momentum}),
            "momentum and 1 - momentum exchanged, and the variance divided by n in place of n - 1": biased.xreplace(
                {momentum: 1 - momentum}
            ),
            "never updated": running,
            "the last batch's own value: nothing is remembered": formula.xreplace({momentum: sp.Integer(1)}),
            "momentum = 0.01": formula.xreplace({momentum: sp.Rational(1, 100)}),
        }
        named = [words for words, other in family.items() if np.allclose(found, _evaluate(other, values), rtol=1e-9, atol=1e-12)]
        cause = f"it looks like {named[0]}: " if named else ""
        return Check("running values", False, f"running_{left}: {cause}it should be {expected[0]:.8g} and is {found[0]:.8g} (n = {count})")
    return Check("running values", True, "as the record says")
