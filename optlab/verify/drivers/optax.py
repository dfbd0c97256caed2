"""Driving optax: a factory ``make(learning_rate)``, or a ready ``GradientTransformation`` whose learning rate stays as it is."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from optlab.errors import InputError
from optlab.verify.drivers.base import Driver, Gradients, called, double_precision, needed


def is_transformation(value: Any) -> bool:
    """Whether it has what optax asks for: ``init`` and ``update``."""
    return hasattr(value, "init") and hasattr(value, "update") and not isinstance(value, type)


class OptaxDriver(Driver):
    """A transformation is two pure functions, so that a new learning rate is a new transformation on the old state.

    Under ``optax.inject_hyperparams`` the learning rate is read from the state, and is written there.
    """

    framework = "optax"

    def open(self, start: list[np.ndarray]) -> None:
        self.jax = needed("jax", "an optax optimizer")
        self.optax = needed("optax", "an optax optimizer")
        with self._wide():
            self.values = tuple(self.jax.numpy.asarray(array) for array in start)
            self.transformation, self.built = self._built(self.rate), self.rate
            self.state = self.transformation.init(self.values)

    def _wide(self) -> Any:
        return double_precision(self.jax, self.dtype == np.float64)

    def _built(self, rate: float) -> Any:
        if is_transformation(self.make):
            return self.make
        made = called(self.make, rate, what="make(learning_rate)")
        if not is_transformation(made):
            raise InputError(f"make(learning_rate) returns a {type(made).__name__}, which is no optax.GradientTransformation")
        return made

    @property
    def parameters(self) -> list[np.ndarray]:
        return [np.array(value) for value in self.values]

    def step(self, gradients: Gradients, rate: float) -> list[np.ndarray | None]:
        if any(gradient is None for gradient in gradients):
            raise InputError("optax has no missing gradients: give an array for every parameter")
        with self._wide():
            given = tuple(self.jax.numpy.asarray(gradient) for gradient in gradients)
            if rate != self.built:
                self._change(rate)
            updates, self.state = self.transformation.update(given, self.state, self.values)
            self.values = self.optax.apply_updates(self.values, updates)
        return list(gradients)

    def _change(self, rate: float) -> None:
        if hasattr(self.state, "hyperparams") and "learning_rate" in self.state.hyperparams:
            hyper = self.state.hyperparams
            kept = self.state.hyperparams | {"learning_rate": self.jax.numpy.asarray(rate, hyper["learning_rate"].dtype)}
            self.state = self.state._replace(hyperparams=kept)
        elif is_transformation(self.make):
            raise InputError("a ready GradientTransformation keeps its learning rate: give a factory make(learning_rate)")
        else:
            self.transformation = self._built(rate)
        self.rate = self.built = rate

    def save(self) -> Any:
        return pickle.dumps(self.jax.tree_util.tree_map(np.asarray, self.state))

    def load(self, saved: Any) -> None:
        with self._wide():
            self.state = self.jax.tree_util.tree_map(self.jax.numpy.asarray, pickle.loads(saved))
