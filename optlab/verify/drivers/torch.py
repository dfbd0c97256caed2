"""Driving ``torch.optim.Optimizer``: ``make(params, lr=...)`` gives the optimizer; the class itself will do."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from optlab.errors import InputError
from optlab.verify.drivers.base import Driver, Gradients, called, needed


class TorchDriver(Driver):
    """The learning rate of a step is written into every parameter group, as torch's schedulers do."""

    framework = "torch"

    wide = True  #: whether torch's default float type is the parameters' own

    @contextmanager
    def _defaults(self) -> Iterator[None]:
        """torch's default float type for a while: some optimizers (NAdam) keep scalars in it."""
        kept = self.torch.get_default_dtype()
        self.torch.set_default_dtype(getattr(self.torch, self.dtype.name) if self.wide else self.torch.float32)
        try:
            yield
        finally:
            self.torch.set_default_dtype(kept)

    def open(self, start: list[np.ndarray]) -> None:
        torch = self.torch = needed("torch", "a torch optimizer")
        self.tensors = [torch.nn.Parameter(torch.tensor(array)) for array in start]
        with self._defaults():
            self.optimizer = called(self.make, self.tensors, lr=self.rate, what="make(params, lr=...)")
        if not isinstance(self.optimizer, torch.optim.Optimizer):
            raise InputError(f"make(params, lr=...) returns a {type(self.optimizer).__name__}, which is no torch.optim.Optimizer")

    @property
    def parameters(self) -> list[np.ndarray]:
        return [tensor.detach().numpy().copy() for tensor in self.tensors]

    def give(self, gradients: Gradients, rate: float) -> None:
        """Write the learning rate and the gradients where the optimizer reads them."""
        self.rate = rate
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        for tensor, gradient in zip(self.tensors, gradients, strict=True):
            tensor.grad = None if gradient is None else self.torch.tensor(gradient)

    def step(self, gradients: Gradients, rate: float) -> list[np.ndarray | None]:
        self.give(gradients, rate)
        with self._defaults():
            self.optimizer.step()
        left = [None if tensor.grad is None else tensor.grad.detach().numpy().copy() for tensor in self.tensors]
        for tensor in self.tensors:
            if tensor.grad is not None:
                tensor.grad.zero_()  # as zero_grad(set_to_none=False) does: a state must not be this memory
        return left

    def step_with_closure(self, gradients: Gradients, rate: float, expected: np.ndarray) -> tuple[bool, str]:
        """Whether ``step(closure)`` calls the closure once, with gradients enabled, returns its loss and takes the same step."""
        calls, enabled = 0, True

        def closure() -> Any:
            nonlocal calls, enabled
            calls, enabled = calls + 1, self.torch.is_grad_enabled()
            self.give(gradients, rate)
            return self.torch.tensor(1.5)

        self.give(gradients, rate)  # for an optimizer that never calls it
        try:
            with self._defaults():
                loss = self.optimizer.step(closure)
        except TypeError as error:
            return False, f"step(closure) raises TypeError: {error}"
        if calls != 1:
            return False, f"step(closure) calls the closure {calls} times, not once"
        if not enabled:
            return False, "the closure is called without gradients enabled: decorate it with torch.enable_grad()"
        if loss is None or float(loss) != 1.5:
            return False, f"step(closure) returns {loss!r}, not the closure's loss"
        if not np.array_equal(self.theta, expected, equal_nan=True):
            return False, "step(closure) takes another step than step() on the same gradients"
        return True, "step(closure) calls it once and returns its loss"

    def rerun_in_single_default(self, gradients: np.ndarray, rates: np.ndarray) -> np.ndarray:
        """theta of a fresh optimizer while torch's default float type is float32."""
        other = type(self).__new__(type(self))
        other.wide = False
        type(self).__init__(other, self.make, self.parameters, self.rate)
        out = [other.theta]
        for gradient, rate in zip(gradients, rates, strict=True):
            other.step(other.split(gradient), float(rate))
            out.append(other.theta)
        return np.array(out)

    def save(self) -> Any:
        return copy.deepcopy(self.optimizer.state_dict())

    def load(self, saved: Any) -> None:
        self.optimizer.load_state_dict(saved)
