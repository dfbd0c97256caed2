"""Running any optimizer over given gradients and learning rates: one small driver per framework, imported when it is needed.

======== ===================================================================================================
torch    ``make(params, lr=...)`` returns a ``torch.optim.Optimizer``; the class itself will do
optax    ``make(learning_rate)`` returns a ``GradientTransformation``; a ready one keeps its learning rate
keras    ``make(learning_rate)`` returns a ``keras.optimizers.Optimizer``; the class or a ready one will do
plain    ``make(params, lr=...)``, params a list of NumPy arrays, returns an object with ``step(gradients)``
function ``update(theta, gradient, state, lr) -> (theta, state)``, state None at first
======== ===================================================================================================
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from optlab.errors import InputError, UnknownNameError
from optlab.verify.drivers.base import Driver, needed

FRAMEWORKS = {
    "torch": "optlab.verify.drivers.torch:TorchDriver",
    "optax": "optlab.verify.drivers.optax:OptaxDriver",
    "keras": "optlab.verify.drivers.keras:KerasDriver",
    "plain": "optlab.verify.drivers.plain:PlainDriver",
    "function": "optlab.verify.drivers.plain:FunctionDriver",
}

__all__ = ["FRAMEWORKS", "Driver", "driver_of", "framework_of", "needed", "run"]


def _class(framework: str) -> type[Driver]:
    if framework not in FRAMEWORKS:
        raise UnknownNameError("framework", framework, FRAMEWORKS)
    module, _, name = FRAMEWORKS[framework].partition(":")
    found: type[Driver] = getattr(import_module(module), name)
    return found


def _is_class(value: Any, base: type) -> bool:
    return isinstance(value, type) and issubclass(value, base)


def _loaded(name: str) -> Any:
    """A framework's module if the caller has imported it: an optimizer of it cannot exist otherwise."""
    return sys.modules.get(name)


def framework_of(make: Any) -> str:
    """The framework whose optimizer ``make`` is or makes; it is called once to see. Raises InputError if it cannot be told.

    >>> framework_of(lambda theta, gradient, state, lr: (theta - lr * gradient, state))
    'function'
    """
    torch, keras = _loaded("torch"), _loaded("keras")
    if torch and isinstance(make, torch.optim.Optimizer):
        raise InputError("this torch optimizer holds its parameters already: give what makes it, such as torch.optim.Adam")
    if torch and _is_class(make, torch.optim.Optimizer):
        return "torch"
    if keras and (
        isinstance(make, keras.optimizers.Optimizer) or (isinstance(make, type) and issubclass(make, keras.optimizers.Optimizer))
    ):
        return "keras"
    if not isinstance(make, type) and hasattr(make, "init") and hasattr(make, "update"):
        return "optax"
    if not callable(make):
        raise InputError(f"{make!r} makes no optimizer: give a class or a function make(params, lr=...)")
    required, most = _arguments(make)
    if required >= 3:
        return "function"
    return _of_factory(make, most)


def _arguments(make: Callable[..., Any]) -> tuple[int, int]:
    """How many arguments must be given, and how many can be given by position."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):
        return 1, 2
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    more = any(p.kind == p.VAR_POSITIONAL for p in parameters)
    return sum(p.default is p.empty for p in places), 9 if more else len(places)


def _of_factory(make: Callable[..., Any], most: int) -> str:
    """What a factory makes, by making it: with params as torch or NumPy has them, or with a learning rate alone."""
    torch, keras, problems = _loaded("torch"), _loaded("keras"), []
    tries: list[tuple[str, Callable[[], Any]]] = []
    if torch:
        tries.append(("torch", lambda: make([torch.nn.Parameter(torch.zeros(2))], lr=0.1)))
    tries.append(("plain", lambda: make([np.zeros(2)], lr=0.1)))
    tries.append(("optax", lambda: make(0.1)))
    for name, attempt in tries:
        try:
            made = attempt()
        except Exception as error:  # a wrong guess fails in any way
            problems.append(f"{name}: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
            continue
        if torch and isinstance(made, torch.optim.Optimizer):
            return "torch"
        if keras and isinstance(made, keras.optimizers.Optimizer):
            return "keras"
        if hasattr(made, "init") and hasattr(made, "update"):
            return "optax"
        if name == "plain" and callable(getattr(made, "step", None)):
            return "plain"
        problems.append(f"{name}: returns a {type(made).__name__}")
    raise InputError(f"cannot tell what this makes; name its framework ({', '.join(FRAMEWORKS)}). Tried {'; '.join(problems)}")


def driver_of(
    make: Any, *, start: np.ndarray, rate: float, framework: str | None = None, sizes: Sequence[int] | None = None, dtype: str = "float64"
) -> Driver:
    """A driver with a fresh optimizer on parameters that start at ``start``, shape (coordinates,).

    ``sizes`` splits the coordinates into parameters (one by default).
    """
    start = np.asarray(start, dtype).ravel()
    sizes = list(sizes or [start.size])
    if sum(sizes) != start.size or min(sizes) < 1:
        raise InputError(f"sizes = {sizes} do not add up to {start.size} coordinates")
    parts = np.split(start, np.cumsum(sizes)[:-1])
    return _class(framework or framework_of(make))(make, parts, float(rate))


def run(
    make: Any,
    gradients: Any,
    rates: Any,
    *,
    start: Any = 1.0,
    framework: str | None = None,
    sizes: Sequence[int] | None = None,
    dtype: str = "float64",
) -> np.ndarray:
    """theta before and after every step of an optimizer that is fed the given gradients.

    Parameters
    ----------
    make
        What makes the optimizer (see the module's text).
    gradients
        Shape (steps, coordinates), or (steps,) for one coordinate.
    rates
        The learning rate of each step, shape (steps,), or one number.
    start
        theta before the first step: one number, or shape (coordinates,).
    framework
        One of ``FRAMEWORKS``; found out by ``framework_of`` if not given.
    sizes
        How many coordinates each parameter (tensor) has; all in one by default.
    dtype
        ``"float64"`` or ``"float32"``: of the parameters and gradients; the result is float64 in either case.

    Returns shape (steps + 1, coordinates). Raises InputError, or MissingDependencyError where the framework is not installed.

    >>> run(lambda theta, gradient, state, lr: (theta - lr * gradient, state), [1.0, 2.0], 0.5)
    array([[ 1. ],
           [ 0.5],
           [-0.5]])
    """
    gradients = np.asarray(gradients, dtype)
    gradients = gradients[:, None] if gradients.ndim == 1 else gradients
    if gradients.ndim != 2:
        raise InputError(f"gradients of shape {gradients.shape}: give (steps, coordinates)")
    steps, coordinates = gradients.shape
    rates = np.broadcast_to(np.asarray(rates, np.float64), (steps,))
    begin = np.broadcast_to(np.asarray(start, dtype), (coordinates,))
    first = float(rates[0]) if steps else 0.1
    driver = driver_of(make, start=begin, rate=first, framework=framework, sizes=sizes, dtype=dtype)
    out = [driver.theta.astype(np.float64)]
    for gradient, rate in zip(gradients, rates, strict=True):
        driver.step(driver.split(gradient), float(rate))
        out.append(driver.theta.astype(np.float64))
    return np.array(out)
