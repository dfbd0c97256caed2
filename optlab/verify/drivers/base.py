"""What every driver of an optimizer does: it holds parameters, takes steps with given gradients, saves and loads its state."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from optlab.errors import InputError
from optlab.libraries import needed

Arrays = Sequence[np.ndarray]
Gradients = Sequence[np.ndarray | None]

__all__ = ["Arrays", "Driver", "Gradients", "called", "double_precision", "needed"]


class Driver(ABC):
    """One optimizer at work on parameters that it owns.

    Parameters
    ----------
    make
        What makes the optimizer; each framework says what it takes.
    start
        The parameters' first values, one array per parameter.
    rate
        The first learning rate.
    """

    framework: ClassVar[str]

    def __init__(self, make: Any, start: Arrays, rate: float) -> None:
        self.make, self.rate = make, rate
        self.dtype = np.dtype(start[0].dtype)
        self.sizes = [array.size for array in start]
        self.open([array.copy() for array in start])

    @abstractmethod
    def open(self, start: list[np.ndarray]) -> None:
        """Make the parameters and the optimizer."""

    @property
    @abstractmethod
    def parameters(self) -> list[np.ndarray]:
        """Copies of the parameters, as they are; their dtypes are the framework's."""

    @abstractmethod
    def step(self, gradients: Gradients, rate: float) -> list[np.ndarray | None]:
        """One step; None stands for a parameter without a gradient. Returns the gradients as the optimizer left them."""

    @abstractmethod
    def save(self) -> Any:
        """The optimizer's state, as its users save it."""

    @abstractmethod
    def load(self, saved: Any) -> None:
        """Take a saved state up in this optimizer, freshly made."""

    def reopened(self) -> Driver:
        """A fresh optimizer on the present parameters that has loaded this one's saved state."""
        other = type(self)(self.make, [array.astype(self.dtype) for array in self.parameters], self.rate)
        other.load(self.save())
        return other

    @property
    def theta(self) -> np.ndarray:
        """All coordinates, shape (coordinates,)."""
        return np.concatenate([array.ravel() for array in self.parameters])

    def split(self, gradient: np.ndarray) -> list[np.ndarray]:
        """A gradient of shape (coordinates,) as one array per parameter, in the optimizer's dtype."""
        return [part.astype(self.dtype) for part in np.split(gradient, np.cumsum(self.sizes)[:-1])]


def called(make: Callable[..., Any], *arguments: Any, what: str, **options: Any) -> Any:
    """``make(...)``; what goes wrong in it is said in one line (the user's own error is its cause)."""
    try:
        return make(*arguments, **options)
    except Exception as error:
        text = (str(error).splitlines() or [""])[0]
        raise InputError(f"{what} fails with {type(error).__name__}: {text}") from error


def double_precision(jax: Any, on: bool) -> Any:
    """A context in which jax computes in 64 bits, or not."""
    switch = jax.enable_x64 if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental").enable_x64
    return switch(on)
