"""Where a model's numbers stand in the flat buffers, and what they start from.

The filters of all layers come first, then the norms' parameters, so that a rule with weight decay runs over two stretches: with decay and
without. Between them, and at the end, up to 15 zeros make whole vectors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from optlab.ensemble.philox import stream_key
from optlab.nn import kernels
from optlab.nn.models import Layer, Model
from optlab.nn.norm_maps import norm_maps
from optlab.nn.shapes import ALIGNED, padded


def aligned(size: int, dtype: str) -> np.ndarray:
    """Zeros that begin at a multiple of 64 bytes."""
    kind = np.dtype(dtype)
    block = np.zeros(size * kind.itemsize + 64, np.uint8)
    start = -block.ctypes.data % 64
    return block[start : start + size * kind.itemsize].view(kind)


@dataclass
class Layout:
    """The flat buffers of a model: where each layer's filter (``weights``), norm parameters and running values begin."""

    model: Model
    weights: list[int] = field(default_factory=list)
    norms: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    decayed: int = 0  #: numbers before the norms' parameters, in whole vectors
    size: int = 0
    running_size: int = 0

    def __post_init__(self) -> None:
        at = 0
        for layer in self.model.layers:
            self.weights.append(at)
            at += layer.weights
        at = self.decayed = padded(at, ALIGNED)
        for layer in self.model.layers:
            maps = norm_maps(layer.norm)
            self.norms.append(at)
            self.running.append(self.running_size)
            at += layer.outputs * len(maps.parameters)
            self.running_size += layer.outputs * len(maps.running)
        self.size = padded(at, ALIGNED)

    def named(self, buffer: np.ndarray) -> dict[str, np.ndarray]:
        """Views of a flat buffer by name: filters (taps, taps, inputs, outputs) or (inputs, outputs), norm parameters (outputs,)."""
        out = {}
        for layer, at, norm in zip(self.model.layers, self.weights, self.norms, strict=True):
            shape = (layer.taps, layer.taps, layer.inputs, layer.outputs) if layer.taps > 1 else (layer.inputs, layer.outputs)
            out[f"{layer.name}.weight"] = buffer[at : at + layer.weights].reshape(shape)
            for k, name in enumerate(norm_maps(layer.norm).parameters):
                out[f"{layer.name}.{name}"] = buffer[norm + k * layer.outputs : norm + (k + 1) * layer.outputs]
        return out

    def named_running(self, buffer: np.ndarray) -> dict[str, np.ndarray]:
        """The same of the running values."""
        return {
            f"{layer.name}.{name}": buffer[at + k * layer.outputs : at + (k + 1) * layer.outputs]
            for layer, at in zip(self.model.layers, self.running, strict=True)
            for k, name in enumerate(norm_maps(layer.norm).running)
        }

    def start(self, buffer: np.ndarray, seed: int) -> None:
        """Fill the buffer: filters normal by their fan-in (or zero), from stream ``seed``; norm parameters from their records."""
        key = [int(word) for word in stream_key(seed, "parameters")]
        buffer[:] = 0
        for number, (layer, at, norm) in enumerate(zip(self.model.layers, self.weights, self.norms, strict=True)):
            if self.model.start == "he_normal":
                drawn = np.empty(padded(layer.weights, 4), np.float64)
                kernels.loaded(kernels.start_source()).fill_normals(drawn, number, len(drawn) // 4, *key)
                buffer[at : at + layer.weights] = drawn[: layer.weights] * deviation(layer)
            maps = norm_maps(layer.norm)
            for k, value in enumerate(maps.starts):
                buffer[norm + k * layer.outputs : norm + (k + 1) * layer.outputs] = value

    def start_running(self, buffer: np.ndarray) -> None:
        """Running values of a standard normal: mean 0, the others 1."""
        for name, view in self.named_running(buffer).items():
            view[:] = 0 if name.endswith(".mean") else 1


@cache
def he_deviation(fan_in: int) -> float:
    """The deviation of He's start for weights that each sum up ``fan_in`` inputs."""
    from optlab.layers.he_normal import DEVIATION
    from optlab.layers.he_normal import fan_in as symbol

    return float(DEVIATION.xreplace({symbol: fan_in}))


def deviation(layer: Layer) -> float:
    """The standard deviation that the layer's weights start with."""
    return he_deviation(layer.inputs * layer.taps**2)
