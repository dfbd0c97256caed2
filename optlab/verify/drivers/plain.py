"""Driving plain Python: an object made by ``make(params, lr=...)``, or a function ``update(theta, gradient, state, lr)``."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np

from optlab.errors import InputError
from optlab.verify.drivers.base import Driver, Gradients, called


def _left(given: list[np.ndarray | None]) -> list[np.ndarray | None]:
    """Copies of the gradients; their own memory is set to zero: a state must not be this memory."""
    left = [None if gradient is None else gradient.copy() for gradient in given]
    for gradient in given:
        if gradient is not None:
            gradient[...] = 0
    return left


class PlainDriver(Driver):
    """``make`` is given a list of NumPy arrays; ``step(gradients)`` changes them in place or returns new ones.

    The learning rate is the attribute ``lr`` (or ``learning_rate``); an object that has neither keeps its first one.
    """

    framework = "plain"

    def open(self, start: list[np.ndarray]) -> None:
        self.arrays = start
        self.optimizer = called(self.make, self.arrays, lr=self.rate, what="make(params, lr=...)")
        if not callable(getattr(self.optimizer, "step", None)):
            raise InputError(f"make(params, lr=...) returns a {type(self.optimizer).__name__} without a method step(gradients)")

    @property
    def parameters(self) -> list[np.ndarray]:
        return [np.array(array) for array in self.arrays]

    def step(self, gradients: Gradients, rate: float) -> list[np.ndarray | None]:
        name = next((name for name in ("lr", "learning_rate") if hasattr(self.optimizer, name)), None)
        if name:
            setattr(self.optimizer, name, rate)
        elif rate != self.rate:
            raise InputError("the optimizer has no attribute lr or learning_rate, so that its learning rate cannot change: add one")
        self.rate = rate
        given = [None if gradient is None else gradient.copy() for gradient in gradients]
        returned = self.optimizer.step(given)
        if returned is not None:
            if len(returned) != len(self.arrays):
                raise InputError(f"step(gradients) returns {len(returned)} arrays for {len(self.arrays)} parameters")
            self.arrays = list(returned)
        return _left(given)

    def save(self) -> Any:
        if hasattr(self.optimizer, "state_dict"):
            return copy.deepcopy(self.optimizer.state_dict())
        kept = {key: value for key, value in vars(self.optimizer).items() if value is not self.arrays}
        return pickle.dumps(kept)

    def load(self, saved: Any) -> None:
        if hasattr(self.optimizer, "load_state_dict"):
            self.optimizer.load_state_dict(saved)
        else:
            vars(self.optimizer).update({key: value for key, value in pickle.loads(saved).items() if not self._is_parameters(key)})

    def _is_parameters(self, key: str) -> bool:
        """Whether an attribute of the optimizer is the list of its parameters, or holds the same arrays."""
        value = getattr(self.optimizer, key, None)
        if not isinstance(value, (list, tuple)) or len(value) != len(self.arrays):
            return False
        return all(one is other for one, other in zip(value, self.arrays, strict=True))


class FunctionDriver(Driver):
    """``update(theta, gradient, state, lr) -> (theta, state)``, theta an array of all coordinates, state None at first."""

    framework = "function"

    def open(self, start: list[np.ndarray]) -> None:
        self.whole, self.state = np.concatenate(start), None

    @property
    def parameters(self) -> list[np.ndarray]:
        return list(np.split(np.array(self.whole), np.cumsum(self.sizes)[:-1]))

    def step(self, gradients: Gradients, rate: float) -> list[np.ndarray | None]:
        if any(gradient is None for gradient in gradients):
            raise InputError("a function of one array has no missing gradients")
        given = np.concatenate([gradient for gradient in gradients if gradient is not None])
        self.rate = rate
        returned = self.make(self.whole, given, self.state, rate)
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise InputError(f"update(theta, gradient, state, lr) returns a {type(returned).__name__}: it must return (theta, state)")
        self.whole, self.state = np.asarray(returned[0]), returned[1]
        if self.whole.shape != given.shape:
            raise InputError(f"update returns theta of shape {self.whole.shape} for one of shape {given.shape}")
        return _left(list(np.split(given, np.cumsum(self.sizes)[:-1])))

    def save(self) -> Any:
        return pickle.dumps(self.state)

    def load(self, saved: Any) -> None:
        self.state = pickle.loads(saved)
