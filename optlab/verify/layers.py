"""Schedules and normalizations against the libraries themselves: learning rates; forward, running values, and backward by autograd."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import sympy as sp

from optlab import norms, schedules
from optlab.analysis.normalization import backward, dy
from optlab.dialects import Dialect, spellings
from optlab.norms.record import Norm, beta, eps, gamma, momentum, n, running, sigma, x, xhat
from optlab.rosetta.norms import running_of
from optlab.symbols import symbol, time
from optlab.verify.drivers import needed
from optlab.verify.drivers.base import double_precision
from optlab.verify.drivers.keras import import_keras

STEPS = 60
#: What options are drawn from, by a part of their name; ranges of whole numbers are of steps.
_RANGES = {"alpha": (0.0, 0.5), "div_factor": (2.0, 30.0), "final_div_factor": (10.0, 1000.0), "decay_rate": (0.01, 0.5)}
_WHOLE = {"T_max": (20, 50), "steps": (40, 50), "warmup_steps": (3, 12)}


def schedule_dialects(library: str) -> Iterator[tuple[str, Dialect]]:
    """Every spelling of a schedule in a library, with the schedule's name."""
    for schedule in schedules.builtin():
        yield from ((schedule.name, dialect) for dialect in spellings(schedule.dialects.get(library)))


def schedule_deviation(dialect: Dialect, generator: np.random.Generator, draws: int = 3) -> float:
    """The largest difference of learning rates over 60 steps (torch's one cycle: its own), over the largest of them."""
    worst = 0.0
    for _ in range(draws):
        options = _drawn_options(dialect, generator)
        exact = dialect.expression.xreplace({key: sp.sympify(options[key.name]) for key in dialect.expression.free_symbols - {time}})
        count = int(options["total_steps"]) if "total_steps" in options else STEPS
        ours = np.array([float(exact.subs(time, step)) for step in range(count)])
        theirs = _THEIR_RATES[dialect.library](dialect, options, count)
        worst = max(worst, float(np.max(np.abs(ours - theirs)) / np.max(np.abs(ours))))
    return worst


def _drawn_options(dialect: Dialect, generator: np.random.Generator) -> dict[str, Any]:
    options: dict[str, Any] = dict(dialect.fixed)
    for name in sorted(key.name for key in dialect.expression.free_symbols - {time}):
        if name in options:
            continue
        whole = _WHOLE.get(name) or (_WHOLE["steps"] if name.endswith("steps") else None)
        if whole:
            options[name] = int(generator.integers(*whole))
        elif name == "pct_start":  # optax rounds pct_start * transition_steps down, torch does not
            options[name] = 0.25
        else:
            options[name] = float(generator.uniform(*_RANGES.get(name, (0.001, 0.1))))
    if dialect.library == "optax" and "pct_start" in options:
        options["transition_steps"] = 4 * int(options["transition_steps"] // 4)
    if "peak_value" in options and "warmup_steps" in options:
        options["decay_steps"] = max(options["decay_steps"], options["warmup_steps"] + 20)
    return options


def _torch_rates(dialect: Dialect, options: dict[str, Any], count: int) -> np.ndarray:
    torch = needed("torch", "the comparison")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=options.get("lr", 0.1))
    given = {key: value for key, value in options.items() if key != "lr"}
    if "cycle_momentum" in dialect.defaults:
        given["cycle_momentum"] = False
    scheduler = getattr(torch.optim.lr_scheduler, dialect.call.rpartition(".")[2])(optimizer, **given)
    out = []
    for step in range(count):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < count:
            scheduler.step()
    return np.array(out)


def _optax_rates(dialect: Dialect, options: dict[str, Any], count: int) -> np.ndarray:
    jax, optax = needed("jax", "an optax schedule"), needed("optax", "an optax schedule")
    with double_precision(jax, True):
        schedule = getattr(optax, dialect.call.rpartition(".")[2])(**options)
        return np.array([float(schedule(jax.numpy.asarray(step, dtype=jax.numpy.float64))) for step in range(count)])


def _keras_rates(dialect: Dialect, options: dict[str, Any], count: int) -> np.ndarray:
    keras = import_keras()
    with _keras_type(keras, "float64"):
        schedule = getattr(keras.optimizers.schedules, dialect.call.rpartition(".")[2])(**options)
        return np.array([float(schedule(step)) for step in range(count)])


_THEIR_RATES: dict[str, Callable[..., np.ndarray]] = {"torch": _torch_rates, "optax": _optax_rates, "keras": _keras_rates}


@contextmanager
def _keras_type(keras: Any, dtype: str) -> Iterator[None]:
    kept = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(kept)


def norm_dialects(library: str) -> Iterator[tuple[Norm, Dialect]]:
    """Every layer of a library that optlab has a record of."""
    for name in norms.names():
        norm = norms.get(name)
        if library in norm.dialects:
            yield norm, norm.dialects[library]


def _value(expression: sp.Expr, values: dict[Any, Any]) -> Any:
    keys = sorted(expression.free_symbols, key=str)
    return sp.lambdify(keys, expression, "numpy")(*(values[key] for key in keys))


def _mean(expression: sp.Expr, values: dict[Any, Any], axis: int) -> np.ndarray:
    return np.mean(_value(expression, values) + 0 * values[x], axis=axis, keepdims=True)


def norm_deviation(norm: Norm, dialect: Dialect, generator: np.random.Generator, dtype: str = "float64", batches: int = 10) -> float:
    """The largest difference of output, running values, and gradients of input, scale and shift, each over its largest value.

    The batches have 8 to 32 rows of 7 features (in a batch of two the input's gradient is all cancellation); the layer's gradients
    are those of its own automatic differentiation.
    """
    axis = 0 if "batch" in norm.reduced else 1
    numbers = {eps: float(generator.uniform(1e-5, 1e-2)), momentum: float(generator.uniform(0.05, 0.5))}
    options = {name: float(e.xreplace({k: sp.Float(v, 17) for k, v in numbers.items()})) for name, _, e in dialect.places()}
    scale, shift = generator.normal(size=7).astype(dtype), generator.normal(size=7).astype(dtype)
    layer = _LAYERS[dialect.library](dialect, options, scale, shift, dtype)
    old: dict[sp.Symbol, Any] = {left: 1.0 if left == symbol("var") else 0.0 for left in norm.running}
    worst = 0.0
    for _ in range(batches):
        rows = int(generator.integers(8, 33))
        data, upstream = (generator.normal(size=(rows, 7)).astype(dtype) for _ in range(2))
        values: dict[Any, Any] = {x: data.astype(np.float64), **numbers, gamma: scale.astype(float), beta: shift.astype(float), n: rows}
        for left, integrand in norm.reductions:
            values[left] = _mean(integrand, values, axis)
        values[sigma] = _value(norm.scale, values)
        values[xhat] = _value(norm.normalized, values)
        values[dy] = upstream.astype(np.float64)
        ours = {"y": _value(norm.output, values)}
        for left, update in running_of(norm, dialect).items():
            old[left] = np.ravel(_value(update, values | {running: old[left]}))
            ours[f"running {left}"] = old[left]
        back = backward(norm)
        for left, integrand in back.reductions:
            values[left] = _mean(integrand, values, axis)
        ours["dx"] = _value(back.input_gradient, values)
        for key, (integrand, _) in back.parameter_gradients.items():
            ours[f"d{key}"] = np.sum(_value(integrand, values), axis=0)
        theirs = layer(data, upstream)
        for key, value in ours.items():
            worst = max(worst, float(np.max(np.abs(theirs[key] - value)) / np.max(np.abs(value))))
    return worst


def _torch_layer(dialect: Dialect, options: dict[str, float], scale: np.ndarray, shift: np.ndarray, dtype: str) -> Any:
    torch = needed("torch", "the comparison")
    layer = getattr(torch.nn, dialect.call.rpartition(".")[2])(7, dtype=getattr(torch, dtype), **options)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(scale))
        if getattr(layer, "bias", None) is not None:
            layer.bias.copy_(torch.tensor(shift))

    def run(data: np.ndarray, upstream: np.ndarray) -> dict[str, np.ndarray]:
        held = torch.tensor(data, requires_grad=True)
        layer.zero_grad()
        y = layer(held)
        (y * torch.tensor(upstream)).sum().backward()
        out = {"y": y, "dx": held.grad, "dgamma": layer.weight.grad}
        if getattr(layer, "bias", None) is not None:
            out["dbeta"] = layer.bias.grad
        if hasattr(layer, "running_mean"):
            out |= {"running mean": layer.running_mean, "running var": layer.running_var}
        return {key: tensor.detach().numpy().astype(np.float64) for key, tensor in out.items()}

    return run


def _keras_layer(dialect: Dialect, options: dict[str, float], scale: np.ndarray, shift: np.ndarray, dtype: str) -> Any:
    keras = import_keras()
    if keras.backend.backend() != "torch":
        raise_missing()
    torch = importlib.import_module("torch")
    layer = getattr(keras.layers, dialect.call.rpartition(".")[2])(dtype=dtype, **options)
    layer.build((None, 7))
    weights = {variable.name: variable for variable in layer.trainable_variables}
    for name, value in {"gamma": scale, "scale": scale, "beta": shift}.items():
        if name in weights:
            weights[name].assign(value)

    def run(data: np.ndarray, upstream: np.ndarray) -> dict[str, np.ndarray]:
        held = torch.tensor(data, requires_grad=True)
        kinds = {name: variable.value for name, variable in weights.items()}
        with _keras_type(keras, dtype):
            y = layer(held, training=True) if "momentum" in options else layer(held)
        found = torch.autograd.grad((y * torch.tensor(upstream)).sum(), [held, *kinds.values()])
        out = {"y": y, "dx": found[0]} | {f"d{name}": grad for name, grad in zip(kinds, found[1:], strict=True)}
        out["dgamma"] = out.get("dgamma", out.get("dscale"))
        if "momentum" in options:
            out |= {"running mean": layer.moving_mean.value, "running var": layer.moving_variance.value}
        return {key: tensor.detach().numpy().astype(np.float64) for key, tensor in out.items()}

    return run


def raise_missing() -> None:
    """keras' layers are compared on its torch backend, where autograd is at hand."""
    from optlab.errors import MissingDependencyError

    raise MissingDependencyError("keras' layers are compared on its torch backend: set KERAS_BACKEND=torch")


_LAYERS: dict[str, Callable[..., Any]] = {"torch": _torch_layer, "keras": _keras_layer}


@contextmanager
def quietly() -> Iterator[None]:
    """Without what the libraries warn of (a scheduler stepped beside no gradient)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
