"""What the training loop asks of a model under an optimizer."""

from __future__ import annotations

from typing import Protocol

import numpy as np

State = dict[str, np.ndarray]


class Learner(Protocol):
    """A model, its optimizer and their state. Equal states and equal inputs give equal bits, for any number of threads.

    A learner may also have ``steps(feed, epoch, first, rates)``, which takes the steps of an epoch from batch ``first`` on, one for each
    learning rate, and yields arrays with a row for each step done: loss, right answers, Euclidean norms of the gradient, of the parameters'
    change and of the parameters before it.
    """

    @property
    def parameters(self) -> np.ndarray:
        """Every parameter, flat."""
        ...

    @property
    def gradient(self) -> np.ndarray:
        """The mean gradient of the last step's batch, flat; weight decay is not in it."""
        ...

    def step(self, inputs: np.ndarray, targets: np.ndarray, rate: float) -> tuple[float, int]:
        """One step of the optimizer on a batch, at this learning rate: the mean loss before the step, and how many were right."""
        ...

    def evaluate(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[float, int]:
        """The mean loss of a batch as in use, not in training, and how many were right. Nothing changes."""
        ...

    def state(self) -> State:
        """Everything that later steps depend on: copies, by name."""
        ...

    def restore(self, state: State) -> None:
        """Go back to a state."""
        ...

    def close(self) -> None:
        """No more steps: let threads go."""
        ...

    def weights(self) -> State:
        """The part of the state that ``evaluate`` depends on: copies, by name."""
        ...
