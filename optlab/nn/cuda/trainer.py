"""Training steps of a model on a CUDA device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from optlab.errors import OptlabError
from optlab.nn.cuda.graph import Replays
from optlab.nn.cuda.network import NOTED, Launch, Network, run
from optlab.nn.trainer import Trainer


class CudaTrainer(Trainer):
    """As :class:`optlab.nn.Trainer`, on the device; ``parameters``, ``states``, ``gradient``, ``running`` are copies of what is there."""

    place = "cuda"

    def _open(self, threads: int) -> None:
        made = Network
        if self.precision == "bf16":
            from optlab.nn.cuda.mixed import MixedNetwork, require_tensor_cores

            require_tensor_cores()
            made = MixedNetwork
        try:
            self.network = made(self.model, self.rule.unbound(), self.batch)
        except Exception as error:  # the driver's errors are of several types
            if "OUT_OF_MEMORY" not in str(error):
                raise
            raise OptlabError(f"the CUDA device has no room for batches of {self.batch}: take a smaller batch, or backend='cpu'") from None
        self.layout = self.network.layout
        self._launches: dict[tuple[str, int], list[Launch]] = {}
        self._written, self._replays = False, Replays()

    @property
    def parameters(self) -> np.ndarray:
        """A copy of the flat buffer of parameters."""
        return _here(self.network.state, self.layout.size)

    @property
    def states(self) -> np.ndarray:
        """A copy of the rule's states, shape (states, parameters)."""
        return _here(self.network.state).reshape(-1, self.layout.size)[1:]

    @property
    def gradient(self) -> np.ndarray:
        """A copy: of the mean loss of the last step's batch, by every parameter."""
        return _here(self.network.gradient)

    @property
    def running(self) -> np.ndarray:
        """A copy of the norms' running values, flat, float64."""
        return _here(self.network.running)[: self.layout.running_size]

    def _write(self, state: Mapping[str, np.ndarray]) -> None:
        _there(self.network.state, np.concatenate([state["parameters"], state["states"].ravel()]))
        if self.layout.running_size:
            _there(self.network.running, state["running"])

    def _put(self, images: np.ndarray, labels: np.ndarray) -> int:
        """The batch, on the device; how many images it has."""
        size = len(images) // int(np.prod(self.model.image_shape))
        _there(self.network.images, images)
        _there(self.network.labels, np.asarray(labels, self.network.labels.dtype))
        return size

    def _step(self, images: np.ndarray, labels: np.ndarray, numbers: Any) -> tuple[float, int, int]:
        size = self._put(images, labels)
        self.put_numbers(np.concatenate([scalars for _, scalars in numbers]))
        run(self.launches("step", size))
        loss, correct = _here(self.network.record, NOTED)[:2]
        return float(loss), int(correct), size

    def _losses(self, images: np.ndarray, labels: np.ndarray) -> tuple[float, int, int]:
        size = self._put(images, labels)
        run(self.launches("losses", size))
        losses, hits = _here(self.network.losses, size), _here(self.network.hits, size)
        return float(losses.sum()) / size, int(hits.sum()), size

    def steps_on(self, before: list[Launch], rates: np.ndarray, size: int) -> np.ndarray:
        """As many steps as there are learning rates (at most ``WINDOW``), each on the batch of ``size`` that the launches ``before`` write.

        Gives a row for each step: mean loss, right answers, and the squared Euclidean norms of the gradient, the change of the parameters,
        and the parameters before it. The host looks at the device once, at the end.
        """
        rows = []
        for rate in rates:
            rows.append(np.concatenate([scalars for _, scalars in self._numbers(float(rate))]))
            self.steps += 1
        self.put_numbers(np.concatenate(rows))
        key = (size, *(id(launch) for launch in before))
        self._replays.run(key, [*before, *self.launches("step", size)], len(rates))
        return _here(self.network.record, len(rates) * NOTED).reshape(-1, NOTED)

    def put_numbers(self, scalars: np.ndarray) -> None:
        """Put the scalars of the next steps (a row each: those of the filters, those of the rest) on the device; the first one is next."""
        network = self.network
        if not self._written:
            _there(network.constants, np.concatenate(self._constants))
            self._written = True
        _there(network.table, np.asarray(scalars, network.real).ravel())
        _there(network.step, np.zeros(1, np.int64))

    def launches(self, kind: str, size: int) -> list[Launch]:
        """The launches of a step, or of the losses with running values, for a batch of this size."""
        if (kind, size) not in self._launches:
            network = self.network
            made = [*network.gradients(size), *network.advance(size)] if kind == "step" else network.losses_of(size)
            self._launches[kind, size] = made
        return self._launches[kind, size]

    def close(self) -> None:
        """There are no threads to end."""


def _here(array: Any, size: int | None = None) -> np.ndarray:
    """A copy of (the first numbers of) an array on the device."""
    found: np.ndarray = (array if size is None else array[:size]).copy_to_host()
    return found


def _there(array: Any, values: np.ndarray) -> None:
    """Write an array to the device, from the start of one there."""
    if values.size:
        array[: values.size].copy_to_device(np.ascontiguousarray(values))


__all__ = ["CudaTrainer"]
