"""Training in bfloat16: the launches of :mod:`optlab.nn.cuda.network` with convolutions on tensor cores and activations of 16 bits.

What stands in bfloat16: results of convolutions, what they read, the gradients of both, and a working copy of the filters that is rounded
from the weights once a pass. What stays in float32 or wider: the weights, their gradient, the rule's states and its step, sums and slopes
of the norms, all arithmetic between two reads and a write, the sums on tensor cores, the linear layer behind the pooling and the loss.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from optlab.codegen import cuda_bf16
from optlab.codegen.cuda import simulated
from optlab.errors import UnsupportedError
from optlab.expressions import Rule
from optlab.nn.cuda import kernels
from optlab.nn.cuda.network import Launch, Network, Stage
from optlab.nn.cuda.tensor_shapes import FilterTiles, back_data_tiles, check_bf16, forward_tiles
from optlab.nn.models import Layer, Model


def require_tensor_cores() -> None:
    """Raise UnsupportedError, in one line, unless the device multiplies bfloat16 numbers."""
    if simulated():
        if cuda_bf16.emulator is None:
            raise UnsupportedError("precision = 'bf16' needs tensor cores, and Numba's simulator has none: give precision='full'")
        return
    found, needed = tuple(cuda.get_current_device().compute_capability), cuda_bf16.CAPABILITY
    if found < needed:
        have, want = (".".join(map(str, version)) for version in (found, needed))
        raise UnsupportedError(
            f"precision = 'bf16' needs a device of compute capability {want}, and this one has {have}: give precision='full'"
        )


class MixedNetwork(Network):
    """The buffers and launches of a model whose convolutions multiply in bfloat16."""

    def __init__(self, model: Model, rule: Rule, batch: int) -> None:
        check_bf16(model)
        super().__init__(model, rule, batch)
        self.working = self._new(self.filters, np.uint16)
        self.narrowing = kernels.loaded(kernels.narrowing_source())

    def _stored(self, layer: Layer) -> str:
        return kernels.BF16 if layer.taps == 3 else self.model.dtype

    def _activations(self, layer: Layer, size: int) -> Any:
        return self._new(size, np.uint16 if layer.taps == 3 else None)

    def forward(self, images: Any, size: int, weights: Any, training: bool) -> list[Launch]:
        """The launches of a forward pass, behind that which rounds the filters."""
        threads = kernels.FLAT_THREADS
        narrow = Launch(self.narrowing.narrow, -(-self.filters // threads), threads, (weights, self.working, self.filters))
        return [narrow, *super().forward(images, size, weights, training)]

    def _product(self, stage: Stage, name: str, given: Any, weights: Any, out: Any, size: int) -> Launch:
        if stage.layer.taps == 1:
            return super()._product(stage, name, given, weights, out, size)
        tiles = (forward_tiles if name == "forward" else back_data_tiles)(stage.layer)
        arguments = (given, self.working, stage.place, out, size)
        return Launch(getattr(stage.module, name), tiles.blocks(size), tiles.threads, arguments)

    def _weights(self, stage: Stage, given: Any, slope: Any, size: int) -> Launch:
        if stage.layer.taps == 1:
            return super()._weights(stage, given, slope, size)
        tiles = FilterTiles(stage.layer)
        arguments = (given, slope, self.partial, stage.place, self.filters, size)
        return Launch(stage.module.back_weights, (self.parts, tiles.grains), tiles.threads, arguments)


__all__ = ["MixedNetwork", "require_tensor_cores"]
