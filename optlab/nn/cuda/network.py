"""The passes of a model as launches over preallocated buffers on the device; what they compute is what :mod:`optlab.nn.network` does."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numba import cuda
from numba.core import config

from optlab.codegen.rules import lowered
from optlab.errors import InputError
from optlab.expressions import Rule
from optlab.nn.cuda import kernels
from optlab.nn.cuda.shapes import PARTS, Columns, FilterGradient, back_data_of, check_layer, forward_of, products_of
from optlab.nn.models import Layer, Model
from optlab.nn.norm_maps import norm_maps
from optlab.nn.parameters import Layout
from optlab.symbols import theta

config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # small layers have few blocks

MOST = 2**31 - 1  #: numbers of a buffer: kernels divide places in 32 bits
WINDOW = 512  #: steps whose numbers stand on the device at a time
NOTED = 5  #: numbers that are noted of a step: loss, right answers, squared norms of gradient, change and parameters
_KEPT = ("first", "same", "down")


class Launch(NamedTuple):
    """A kernel with its grid, its block and its arguments."""

    kernel: Any
    grid: Any
    block: int
    arguments: tuple[Any, ...]


def run(launches: list[Launch], stream: Any = 0) -> None:
    """Launch them in order."""
    for kernel, grid, block, arguments in launches:
        kernel[grid, block, stream](*arguments)


@dataclass
class Stage:
    """One layer with its buffers."""

    layer: Layer
    number: int
    module: ModuleType  #: convolution or products
    elements: ModuleType
    norm: ModuleType
    result: Any
    slopes: Any
    facts: Any  #: reductions: of channels in float64, of rows in working precision
    back: Any
    gradient: Any  #: by its normalized result
    input: Any = None  #: what it reads, None: the batch
    kept: Any = None  #: the rectified sum that is pooled for it
    skip: Any = None  #: the input that the shortcut into its own brings
    place: int = 0
    norm_place: int = 0
    run_place: int = 0

    @property
    def by_rows(self) -> bool:
        """Whether its norm's groups are the channels of one pixel."""
        return norm_maps(self.layer.norm).groups == "rows"

    @property
    def columns(self) -> Columns:
        """How sums by channel are laid out."""
        return Columns(self.layer.outputs)

    def rows(self, images: int) -> int:
        """Pixels of its result."""
        return images * self.layer.side_after**2


class Network:
    """The buffers and launches of a model for batches of up to ``batch`` images."""

    def __init__(self, model: Model, rule: Rule, batch: int) -> None:
        for layer in model.layers:
            check_layer(layer)
        widest = max(max(layer.side**2 * layer.inputs, layer.side_after**2 * layer.outputs) for layer in model.layers)
        if batch * widest > MOST:
            raise InputError(f"batch = {batch} is too large for a device: {model.name} takes at most {MOST // widest}")
        self.model, self.batch, self.real = model, batch, np.dtype(model.dtype)
        self.layout = Layout(model)
        low, size = lowered(rule), self.layout.size
        self.rule = kernels.loaded(kernels.flat_source(rule, model.dtype))
        self.objective = kernels.loaded(kernels.objective_source(model))
        self.state = self._new(size * (1 + len(rule.coordinate_states)))
        self.gradient, self.running = self._new(size), self._new(max(1, self.layout.running_size), np.float64)
        self.looks = low.point != theta
        self.point = self._new(size) if self.looks else self.state
        self.flat_blocks = -(-size // kernels.FLAT_THREADS)
        self.scalars = len(low.step_values)
        self.constants = self._new(2 * max(1, len(low.constants)))
        self.table = self._new(WINDOW * 2 * max(1, self.scalars))
        self.step = self._new(1, np.int64)
        self.record, self.squares = self._new(WINDOW * NOTED, np.float64), self._new(3 * self.flat_blocks, np.float64)
        self.losses, self.hits = self._new(batch, np.float64), self._new(batch, np.int64)
        classifies = model.objective == "softmax_cross_entropy"
        self.labels = self._new(batch if classifies else batch * model.outputs, np.int64 if classifies else self.real)
        self.images = self._new(batch * int(np.prod(model.image_shape)))
        self.none = self._new(4)
        self.pooling: ModuleType | None = None
        self.stages: list[Stage] = []
        for number, layer in enumerate(model.layers):
            self.stages.append(self._stage(number, layer))
        self._join()
        self.filters = next((at for at, one in zip(self.layout.weights, model.layers, strict=True) if one.taps == 1), self.layout.decayed)
        self.parts = min(PARTS, batch)
        self.partial = self._new(max(1, self.filters * self.parts))
        most = max(stage.rows(batch) * stage.layer.outputs for stage in self.stages)
        self.slope = self._activations(model.layers[0], most)
        self.passed = {
            one.taps: self._activations(one, max(batch * other.side**2 * other.inputs for other in self._passing(one.taps)))
            for one in model.layers if self._passing(one.taps)
        }  # fmt: skip
        sums = [
            stage.columns.parts(stage.rows(batch)) * max(norm_maps(stage.layer.norm).sums, norm_maps(stage.layer.norm).back_sums)
            * stage.layer.outputs for stage in self.stages
        ]  # fmt: skip
        self.sums = self._new(max(sums), np.float64)

    def _stored(self, layer: Layer) -> str:
        """The dtype that a layer's kernels are made for."""
        return self.model.dtype

    def _activations(self, layer: Layer, size: int) -> Any:
        """A buffer of so many numbers of what a layer makes, or of gradients of it."""
        return self._new(size)

    def _passing(self, taps: int) -> list[Layer]:
        """The layers with so many taps that pass something back."""
        return [layer for layer in self.model.layers if layer.taps == taps and layer.source != "images"]

    def _new(self, size: int, dtype: Any = None) -> Any:
        return cuda.to_device(np.zeros(size, self.real if dtype is None else dtype))

    def _stage(self, number: int, layer: Layer) -> Stage:
        dtype, maps, batch = self._stored(layer), norm_maps(layer.norm), self.batch
        make = kernels.convolution_source if layer.taps == 3 else kernels.linear_source
        rows, width = batch * layer.side_after**2, layer.outputs
        by_rows = maps.groups == "rows"
        elements = kernels.loaded(kernels.elements_source(layer, dtype, self._ways(layer)))
        stage = Stage(
            layer, number, kernels.loaded(make(layer, dtype)), elements, kernels.loaded(kernels.norm_source(layer.norm)),
            self._activations(layer, rows * width), self._new(max(4, len(maps.parameters)) * width),
            self._new(rows * elements.own_REDUCTIONS) if by_rows else self._new(4 * width, np.float64),
            self._new(rows * elements.own_FACTORS) if by_rows else self._new(4 * width), self._activations(layer, rows * width),
        )  # fmt: skip
        stage.place, stage.norm_place, stage.run_place = (
            self.layout.weights[number], self.layout.norms[number], self.layout.running[number],
        )  # fmt: skip
        return stage

    def _ways(self, layer: Layer) -> set[str]:
        """The kernels that results of this size and norm need, wherever in the model they stand."""

        def alike(one: Layer) -> bool:
            return (one.outputs, one.side_after, one.norm) == (layer.outputs, layer.side_after, layer.norm)

        ways = set()
        for number, one in enumerate(self.model.layers):
            if alike(one):
                last = number + 1 == len(self.model.layers)
                ways |= {"give_plain"} if last else {f"take_{self._taken(number + 1)}", f"give_{self._given(number + 1)}"}
        return ways

    def _taken(self, number: int) -> str:
        """How the input of a layer is made from the result before it."""
        source = self.model.layers[number].source
        if source == "pooled":
            return "down" if self.model.layers[number - 2].stride == 2 else "same"
        return "active" if source in ("active", "first") else str(source)

    def _given(self, number: int) -> str:
        """How the gradient of a layer's input arrives at the norm before it."""
        layer = self.model.layers[number]
        return ("same" if layer.stride == 1 else "down") if layer.source in _KEPT else str(layer.source)

    def _join(self) -> None:
        """The buffers of the inputs, and which of them a shortcut brings to which."""
        kept: Any = None
        for stage, before in zip(self.stages[1:], self.stages, strict=False):
            layer, size = stage.layer, self.batch * before.layer.side_after**2 * before.layer.outputs
            stage.kept = self._activations(before.layer, size)
            stage.input = self._new(self.batch * layer.inputs) if layer.source == "pooled" else stage.kept
            if layer.source == "pooled":
                self.pooling = kernels.loaded(kernels.pooling_source(before.layer, self._stored(before.layer)))
            stage.skip = kept if layer.source in ("same", "down", "pooled") else self.none
            kept = stage.input if layer.source in _KEPT else kept

    def forward(self, images: Any, size: int, weights: Any, training: bool) -> list[Launch]:
        """The launches of a forward pass."""
        out: list[Launch] = []
        for stage in self.stages:
            if stage.number:
                out += self._take(stage, self.stages[stage.number - 1], size)
            out.append(self._product(stage, "forward", images if stage.input is None else stage.input, weights, stage.result, size))
            out += self._normalize(stage, size, weights, training)
        return out

    def _elements(self, kernel: Any, elements: int, *arguments: Any) -> Launch:
        threads = kernels.FLAT_THREADS
        return Launch(kernel, max(1, min(-(-elements // threads), 1 << 14)), threads, (*arguments, elements))

    def _take(self, stage: Stage, before: Stage, size: int) -> list[Launch]:
        kernel = getattr(before.elements, f"run_take_{self._taken(stage.number)}")
        width = before.layer.outputs
        out = [
            self._elements(
                kernel, before.rows(size) * width, before.result, before.slopes, before.facts if before.by_rows else self.none, stage.skip,
                stage.kept,
            )
        ]  # fmt: skip
        if stage.layer.source == "pooled":
            assert self.pooling is not None
            threads = kernels.FLAT_THREADS
            out.append(Launch(self.pooling.pool, -(-size * width // threads), threads, (stage.kept, stage.input, size * width)))
        return out

    def _product(self, stage: Stage, name: str, given: Any, weights: Any, out: Any, size: int) -> Launch:
        """The forward pass of the layer itself, or what passes back to its input."""
        layer, kernel = stage.layer, getattr(stage.module, name)
        if layer.taps == 1:
            product = products_of(layer)[name]
            depth = layer.inputs if name == "forward" else layer.outputs
            return Launch(kernel, product.blocks(size), product.threads, (given, 0, weights, stage.place, out, 0, size, depth))
        stencil = (forward_of if name == "forward" else back_data_of)(layer, self.real.itemsize)
        return Launch(kernel, stencil.blocks(size), stencil.threads, (given, weights, stage.place, out, size))

    def _normalize(self, stage: Stage, size: int, weights: Any, training: bool) -> list[Launch]:
        maps, rows, width = norm_maps(stage.layer.norm), stage.rows(size), stage.layer.outputs
        places, threads = (self.running, stage.run_place), kernels.SUM_THREADS
        out: list[Launch] = []
        if training:
            parts = stage.columns.parts(rows) if maps.sums else 0
            if parts:
                columns = stage.columns
                out.append(Launch(stage.elements.sums, (parts, columns.across), columns.threads, (stage.result, self.sums, rows)))
            facts = self.sums if stage.by_rows else stage.facts
            arguments: tuple[Any, ...] = (self.sums, parts, float(rows), weights, stage.norm_place, width, stage.slopes, facts, *places)
            out.append(Launch(stage.norm.after_forward, width, threads, arguments))
        else:
            arguments = (weights, stage.norm_place, width, stage.slopes, *places)
            out.append(Launch(stage.norm.from_running, -(-width // threads), threads, arguments))
        if stage.by_rows:
            out.append(Launch(stage.elements.row_facts, -(-rows // 64), 64, (stage.result, stage.facts, rows)))
        return out

    def lose(self, size: int) -> Launch:
        """The launch of the loss and its gradient."""
        last = self.stages[-1]
        arguments = (last.result, last.slopes, self.labels, self.real.type(1 / size), last.gradient, self.losses, self.hits, size)
        return Launch(self.objective.objective, -(-size // 64), 64, arguments)

    def backward(self, images: Any, size: int) -> list[Launch]:
        """The launches of a backward pass, behind those of the loss."""
        last, out = self.stages[-1], []
        out.append(self._give(last, "plain", self.none, self.none, self.none, size))
        for stage in reversed(self.stages):
            slope = self._own_gradient(stage, size, out)
            given = images if stage.input is None else stage.input
            out.append(self._weights(stage, given, slope, size))
            if stage.input is not None:
                passed = self.passed[stage.layer.taps]
                out.append(self._product(stage, "back_data", slope, self.point, passed, size))
                before = self.stages[stage.number - 1]
                upper = self.stages[stage.number + 1].gradient if stage.layer.source in _KEPT else self.none
                out.append(self._give(before, self._given(stage.number), passed, upper, stage.kept, size))
        if self.filters:
            threads = kernels.FLAT_THREADS
            arguments = (self.partial, self.gradient, self.parts, self.filters, self.filters)
            out.append(Launch(self.rule.reduce, -(-self.filters // threads), threads, arguments))
        return out

    def _give(self, stage: Stage, way: str, given: Any, upper: Any, kept: Any, size: int) -> Launch:
        """The gradient that arrives at the stage's normalized result."""
        rows, columns = stage.rows(size), stage.columns
        facts = stage.facts if stage.by_rows else self.none
        arguments = (given, upper, kept, stage.result, stage.slopes, facts, stage.gradient, self.sums, rows)
        return Launch(getattr(stage.elements, f"run_give_{way}"), (columns.parts(rows), columns.across), columns.threads, arguments)

    def _own_gradient(self, stage: Stage, size: int, out: list[Launch]) -> Any:
        """Append what leads to the gradient of the stage's result, and give the buffer that it stands in."""
        rows, width = stage.rows(size), stage.layer.outputs
        facts = self.sums if stage.by_rows else stage.facts
        arguments: tuple[Any, ...] = (
            self.sums, stage.columns.parts(rows), float(rows), self.point, stage.norm_place, width, facts, stage.back, self.gradient,
        )  # fmt: skip
        out.append(Launch(stage.norm.after_backward, width, kernels.SUM_THREADS, arguments))
        if stage.layer.norm == "none":
            return stage.gradient
        facts = stage.facts if stage.by_rows else self.none
        if stage.by_rows:
            given = (stage.gradient, stage.result, stage.slopes, stage.facts, stage.back, rows)
            out.append(Launch(stage.elements.row_factors, -(-rows // 64), 64, given))
        arguments = (stage.gradient, stage.result, stage.slopes, facts, stage.back, self.slope)
        out.append(self._elements(stage.elements.own_gradient, rows * width, *arguments))
        return self.slope

    def _weights(self, stage: Stage, given: Any, slope: Any, size: int) -> Launch:
        layer, kernel = stage.layer, stage.module.back_weights
        if layer.taps == 1:
            product = products_of(layer)["back_weights"]
            arguments: tuple[Any, ...] = (given, 0, slope, 0, self.gradient, stage.place, layer.inputs, size)
            return Launch(kernel, product.blocks(layer.inputs), product.threads, arguments)
        tiles = FilterGradient(layer, self.real.itemsize)
        arguments = (given, slope, self.partial, stage.place, self.filters, size)
        return Launch(kernel, (self.parts, layer.inputs // tiles.grain), tiles.threads, arguments)

    def gradients(self, size: int) -> list[Launch]:
        """The launches of a step up to its gradient, on the batch in ``images`` and ``labels``."""
        out, threads = [], kernels.FLAT_THREADS
        if self.looks:
            arguments = (self.state, self.point, self.constants, self.table, self.step, self.layout.decayed)
            out.append(Launch(self.rule.look_ahead, self.flat_blocks, threads, arguments))
        return [*out, *self.forward(self.images, size, self.point, True), self.lose(size), *self.backward(self.images, size)]

    def advance(self, size: int) -> list[Launch]:
        """The launches of the rule's step, which note what is measured of it."""
        threads = kernels.FLAT_THREADS
        arguments = (self.state, self.gradient, self.constants, self.table, self.step, self.layout.decayed, self.squares)
        noted = (self.losses, self.hits, size, self.squares, self.flat_blocks, self.record, self.step)
        return [Launch(self.rule.advance, self.flat_blocks, threads, arguments), Launch(self.rule.note, 1, threads, noted)]

    def losses_of(self, size: int) -> list[Launch]:
        """The launches that find losses and right answers with running values."""
        return [*self.forward(self.images, size, self.state, False), self.lose(size)]


__all__ = ["NOTED", "WINDOW", "Launch", "Network", "Stage", "run"]
