"""Driving ``keras.optimizers.Optimizer``: a factory ``make(learning_rate)``, a class, or a ready optimizer (a copy of it is driven)."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np

from optlab.errors import InputError
from optlab.verify.drivers.base import Driver, Gradients, called, double_precision, needed


def import_keras() -> Any:
    """keras on the torch or jax backend: the one that ``KERAS_BACKEND`` names, else the one that is installed."""
    if "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ:
        os.environ["KERAS_BACKEND"] = "torch" if find_spec("torch") else "jax"
    return needed("keras", "a keras optimizer")


def _numpy(value: Any) -> np.ndarray:
    """A copy of a tensor of either backend (keras' own conversion warns under NumPy 2)."""
    value = getattr(value, "value", value)
    return np.array(value.detach().cpu().numpy() if hasattr(value, "detach") else value)


class KerasDriver(Driver):
    """Variables, and keras' own numbers such as the learning rate, have the dtype that is asked for."""

    framework = "keras"

    @contextmanager
    def _wide(self) -> Iterator[None]:
        """keras' default float type (and jax's 64 bits) for a while, without what keras' own code makes NumPy warn of."""
        kept = self.keras.config.floatx()
        self.keras.config.set_floatx(self.dtype.name)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
                if self.keras.backend.backend() == "jax":
                    jax = needed("jax", "keras on jax")
                    with double_precision(jax, self.dtype == np.float64):
                        yield
                else:
                    yield
        finally:
            self.keras.config.set_floatx(kept)

    def open(self, start: list[np.ndarray]) -> None:
        self.keras = import_keras()
        with self._wide():
            self.variables = [self.keras.Variable(array, dtype=self.dtype.name) for array in start]
            self.optimizer = self._built()
            self.optimizer.build(self.variables)

    def _built(self) -> Any:
        kind = self.keras.optimizers.Optimizer
        if isinstance(self.make, kind):
            made = type(self.make).from_config(self.make.get_config())
        else:
            made = called(self.make, self.rate, what="make(learning_rate)")
            if not isinstance(made, kind):
                raise InputError(f"make(learning_rate) returns a {type(made).__name__}, which is no keras.optimizers.Optimizer")
        return made

    @property
    def parameters(self) -> list[np.ndarray]:
        return [_numpy(variable.value) for variable in self.variables]

    def step(self, gradients: Gradients, rate: float) -> list[np.ndarray | None]:
        with self._wide():
            given = [None if g is None else self.keras.ops.convert_to_tensor(g, dtype=self.dtype.name) for g in gradients]
            if rate != self.rate:
                self.optimizer.learning_rate = self.rate = rate
            self.optimizer.apply(given, self.variables)
            return [None if tensor is None else _numpy(tensor) for tensor in given]

    def save(self) -> Any:
        return {str(number): _numpy(variable) for number, variable in enumerate(self.optimizer.variables)}  # as save_own_variables does

    def load(self, saved: Any) -> None:
        with self._wide():
            self.optimizer.load_own_variables(saved)
