"""Driving ``torch.optim.Optimizer``: ``make(params, lr=...)`` gives the optimizer; the class itself will do."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from optlab.errors import InputError
from optlab.verify.drivers.base import Driver, Gradients, called, needed


class TorchDriver(Driver):
    """The learning rate of a step is written into every parameter group, as torch's schedulers do."""

    framework = "torch"

    def open(self, start: list[np.ndarray]) -> None:
        torch = self.torch = needed("torch", "a torch optimizer")
        self.tensors = [torch.nn.Parameter(torch.tensor(array)) for array in start]
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
        self.optimizer.step()
        return [None if tensor.grad is None else tensor.grad.detach().numpy().copy() for tensor in self.tensors]

    def save(self) -> Any:
        return copy.deepcopy(self.optimizer.state_dict())

    def load(self, saved: Any) -> None:
        self.optimizer.load_state_dict(saved)
