"""The passes of a model over its buffers: forward layer by layer, backward in reverse, each pass in shards of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from optlab.expressions import Rule
from optlab.nn import kernels
from optlab.nn.compiling import Job, prepare
from optlab.nn.kernels import SINK_MODES, SOURCE_MODES
from optlab.nn.models import Layer, Model
from optlab.nn.norm_maps import norm_maps
from optlab.nn.parameters import Layout, aligned
from optlab.nn.shapes import ALIGNED, SHARDS, Shape, padded, shape_of, shard_size

if TYPE_CHECKING:
    from optlab.nn.trainer import Team

Numbers = list[tuple[np.ndarray, np.ndarray]]  #: a rule's constants and scalars of a step, for filters and for norms' parameters
_KEPT = ("first", "same", "down")


@dataclass
class Stage:
    """One layer with its buffers."""

    layer: Layer
    shape: Shape
    module: ModuleType
    norm: ModuleType
    number: int
    source: str  #: how its input is made
    sink: str  #: what its input's gradient passes through
    result: np.ndarray
    packed: np.ndarray
    slopes: np.ndarray  #: of y and xhat, forward
    back: np.ndarray  #: of dx
    facts: np.ndarray  #: the norm's reductions
    images: np.ndarray | None = None  #: what a layer of given numbers reads, None: the batch
    kept: np.ndarray | None = None  #: its input, where a shortcut begins
    skip: np.ndarray | None = None  #: the input that is added to its own


class Network:
    """The buffers and passes of a model for batches of up to ``batch`` images."""

    def __init__(self, model: Model, rule: Rule, batch: int, team: Team) -> None:
        self.model, self.batch, self.team = model, batch, team
        self.layout = Layout(model)
        self.shard = shard_size(model, batch)
        self.shards = -(-batch // self.shard)
        shapes = [shape_of(layer, model.dtype) for layer in model.layers]
        self.slot = max(max(s.layer.side_after**2 * s.outputs for s in shapes), *(s.layer.side**2 * s.inputs for s in shapes[1:]), 1)
        self.rule_module = kernels.loaded(kernels.flat_source(rule, model.dtype))
        self.objective = kernels.loaded(kernels.objective_source(model, self.slot))
        size = self.layout.size
        self.state = self._new(size * (1 + len(rule.coordinate_states)))
        self.gradient, self.partial, self.point = self._new(size), self._new(size * SHARDS), self._new(size)
        self.running = aligned(self.layout.running_size, "float64")
        self.upper, self.inner = self._new(batch * self.slot), self._new(batch * self.slot)
        self.none = self._new(ALIGNED)
        self.none64 = aligned(ALIGNED, "float64")
        self.pooling: ModuleType | None = None
        self.stages: list[Stage] = []
        kept: np.ndarray | None = None
        for number, (layer, shape) in enumerate(zip(model.layers, shapes, strict=True)):
            stage, kept = self._stage(number, layer, shape, kept)
            self.stages.append(stage)
        most = max(stage.shape.outputs for stage in self.stages) * 2
        self.sums, self.totals, self.own_totals = (aligned(batch * most, "float64") for _ in range(3))
        self.losses_of, self.hits = np.zeros(batch), np.zeros(batch, np.int64)
        threads = range(team.threads)
        self.scratch = [self._new(max(s.places()["SCRATCH"] for s in shapes)) for _ in threads]
        self.products = [self._new(max(s.products for s in shapes)) for _ in threads]
        self._prepare()
        self.work = [self._new(max(s.layer.taps**2 * s.layer.inputs * s.outputs for s in shapes)) for _ in threads]

    def _prepare(self) -> None:
        """Have all kernels compiled, those that take longest first."""
        jobs: list[Job] = []
        modules = {id(stage.module): stage.module for stage in self.stages}.values()
        norms = {id(stage.norm): stage.norm for stage in self.stages}.values()
        jobs += [(module, name, kernels.SIGNATURES[name]) for name in ("backward", "forward", "pack") for module in modules]
        if self.pooling is not None:
            jobs += [(self.pooling, name, kernels.SIGNATURES[f"pooling.{name}"]) for name in ("backward", "forward")]
        names = ("after_forward", "after_backward", "from_running")
        jobs += [(module, name, kernels.SIGNATURES[name]) for module in norms for name in names]
        objective = "objective" if self.model.objective == "softmax_cross_entropy" else "objective.targets"
        jobs.append((self.objective, "objective", kernels.SIGNATURES[objective]))
        jobs += [(self.rule_module, name, kernels.SIGNATURES[name]) for name in ("advance", "look_ahead", "reduce")]
        prepare(jobs, self.model.dtype)

    def _new(self, size: int) -> np.ndarray:
        return aligned(padded(size, ALIGNED) + ALIGNED, self.model.dtype)[:size]

    def _stage(self, number: int, layer: Layer, shape: Shape, kept: np.ndarray | None) -> tuple[Stage, np.ndarray | None]:
        dtype, before = self.model.dtype, self.model.layers[number - 1]
        source: str = layer.source
        images = own = skip = None
        sink = "nothing" if source == "images" else "active"
        if source == "pooled":
            side, block = before.side_after, self._block(number - 1)
            text = kernels.pooling_source(layer, side, before.norm, dtype, self.slot, block)
            self.pooling, self.pool_source, self.pool_skip = kernels.loaded(text), block, kept
            self.pool_kept, images = self._new(self.batch * side**2 * layer.inputs), self._new(self.batch * layer.inputs)
            source, sink = "images", "plain"
        elif source in _KEPT:
            own, skip = self._new(self.batch * layer.side**2 * shape.inputs), kept
            sink = "same" if layer.stride == 1 else "down"
        alike = [other for other in self.model.layers if (other.inputs, other.outputs, other.side, other.stride) == (layer.inputs, layer.outputs, layer.side, layer.stride)]
        sources = {"images" if other.source == "pooled" else str(other.source) for other in alike}
        sinks = {"images": "", "pooled": "plain", "active": "active"}
        wanted = {sinks.get(other.source, "same" if other.stride == 1 else "down") for other in alike} - {""}
        text = kernels.convolution_source(shape, dtype, self.slot, None if source == "images" else before.norm, sources, wanted)
        rows, width = max(4, len(norm_maps(layer.norm).parameters)), shape.outputs
        stage = Stage(
            layer, shape, kernels.loaded(text), kernels.loaded(kernels.norm_source(layer.norm)), number, source, sink,
            self._new(self.batch * layer.side_after**2 * width), self._new(shape.packed), self._new(rows * width), self._new(rows * width),
            aligned(4 * width, "float64"), images, own, skip,
        )  # fmt: skip
        return stage, kept if own is None else own

    def _block(self, number: int) -> str:
        """How the shortcut over the block that ends with this layer reaches its end."""
        return "down" if self.model.layers[number - 1].stride == 2 else "same"

    # ------------------------------------------------------------------------------------------------------------ forward

    def _shards(self, images: int) -> list[tuple[int, int]]:
        return [(first, min(first + self.shard, images)) for first in range(0, images, self.shard)]

    def _pack(self, weights: np.ndarray) -> None:
        order = sorted(self.stages, key=lambda stage: -stage.shape.packed)

        def work(task: int, thread: int) -> None:
            stage = order[task]
            stage.module.pack(weights, self.layout.weights[stage.number], stage.packed, self.work[thread])

        self.team.run(len(order), work)

    def _forward(self, images: np.ndarray, size: int, weights: np.ndarray, training: bool) -> None:
        shards = self._shards(size)
        self._pack(weights)
        for stage in self.stages:
            before = self.stages[stage.number - 1]
            given = images if stage.images is None else stage.images
            if stage.layer.source == "pooled":
                self._pool(shards, before)
            arguments = (
                SOURCE_MODES[stage.source], given, before.result, before.slopes, self._or_none(stage.skip), self._or_none(stage.kept),
                stage.packed, stage.result, self.sums,
            )  # fmt: skip
            self.team.run(len(shards), lambda s, t, stage=stage, a=arguments: stage.module.forward(*shards[s], *a, self.scratch[t]))
            place, run_place = self.layout.norms[stage.number], self.layout.running[stage.number]
            width, many = stage.layer.outputs, stage.shape.outputs
            if training:
                n = float(size * stage.layer.side_after**2)
                stage.norm.after_forward(self.sums, size, n, weights, place, width, many, stage.slopes, stage.facts, self.running, run_place)
            else:
                stage.norm.from_running(weights, place, width, many, stage.slopes, self.running, run_place)

    def _or_none(self, array: np.ndarray | None) -> np.ndarray:
        return self.none if array is None else array

    def _pool(self, shards: list[tuple[int, int]], before: Stage) -> None:
        assert self.pooling is not None
        forward, pooled = self.pooling.forward, self.stages[before.number + 1].images
        arguments = (
            SOURCE_MODES[self.pool_source], self.none, before.result, before.slopes, self._or_none(self.pool_skip), self.pool_kept, pooled,
        )  # fmt: skip
        self.team.run(len(shards), lambda s, t: forward(*shards[s], *arguments, self.scratch[t]))

    def _objective(self, size: int, labels: np.ndarray) -> tuple[float, int, int]:
        last = self.stages[-1]
        self.objective.objective(
            0, size, last.result, last.slopes, labels, 1 / size, self.upper, self.totals, self.losses_of, self.hits
        )  # fmt: skip
        return float(self.losses_of[:size].sum()) / size, int(self.hits[:size].sum()), size

    def losses(self, images: np.ndarray, labels: np.ndarray) -> tuple[float, int, int]:
        """Mean loss, correct classifications and number of images, with running values."""
        size = len(images) // int(np.prod(self.model.image_shape))
        self._forward(images, size, self.state[: self.layout.size], training=False)
        return self._objective(size, labels)

    # ----------------------------------------------------------------------------------------------------------- backward

    def gradients(self, images: np.ndarray, labels: np.ndarray, numbers: Numbers) -> tuple[float, int, int]:
        """The same of a batch in training; its gradient comes into ``gradient``."""
        size = len(images) // int(np.prod(self.model.image_shape))
        for (constants, scalars), (begin, end) in zip(numbers, self._stretches(), strict=True):
            self.rule_module.look_ahead(self.state, self.point, constants, scalars, begin, end)
        self._forward(images, size, self.point, training=True)
        found = self._objective(size, labels)
        shards = self._shards(size)
        self.partial[self.layout.size * len(shards) :] = 0
        mine, other = self.upper, self.inner  # the gradient of this layer's result, and that of its input
        totals = self.totals
        for stage in reversed(self.stages):
            before = self.stages[stage.number - 1]
            rows = norm_maps(stage.layer.norm).groups == "rows"
            if not rows:
                self._after_backward(stage, size, totals)
            into = mine if stage.kept is not None and stage.layer.stride else other
            mine, into = (self.inner, self.upper) if stage.sink in ("same", "down") else (mine, other)
            self._backward(stage, before, images, shards, mine, into)
            if rows:
                self._after_backward(stage, size, self.own_totals)
            mine, other = into, mine
            totals = self.totals
            if stage.layer.source == "pooled":
                self._unpool(shards, before)
                mine, other = self.upper, self.inner
        self._reduce()
        return found

    def _after_backward(self, stage: Stage, size: int, totals: np.ndarray) -> None:
        stage.norm.after_backward(
            totals, size, float(size * stage.layer.side_after**2), self.point, self.layout.norms[stage.number], stage.layer.outputs,
            stage.shape.outputs, stage.facts, stage.back, self.gradient,
        )  # fmt: skip

    def _backward(
        self, stage: Stage, before: Stage, images: np.ndarray, shards: list[tuple[int, int]], mine: np.ndarray, into: np.ndarray
    ) -> None:
        given = images if stage.images is None else stage.images
        rows = norm_maps(stage.layer.norm).groups == "rows"
        source = "kept" if stage.kept is not None else stage.source
        first = (
            SOURCE_MODES[source], SINK_MODES[stage.sink], given, before.result, before.slopes, self._or_none(stage.kept), stage.packed,
            stage.result, stage.slopes if rows else stage.back, mine, self.own_totals, self.upper, into, self.totals,
        )  # fmt: skip
        place, size = self.layout.weights[stage.number], self.layout.size

        def work(s: int, t: int) -> None:
            products = self.products[t][: stage.shape.products]
            stage.module.backward(*shards[s], *first, products, self.partial, place + s * size, self.work[t], self.scratch[t])

        self.team.run(len(shards), work)

    def _unpool(self, shards: list[tuple[int, int]], before: Stage) -> None:
        assert self.pooling is not None
        backward = self.pooling.backward
        arguments = (SINK_MODES["kept"], before.result, before.slopes, self.pool_kept, self.inner, self.upper, self.totals)
        self.team.run(len(shards), lambda s, t: backward(*shards[s], *arguments, self.scratch[t]))

    def _stretches(self) -> list[tuple[int, int]]:
        return [(0, self.layout.decayed), (self.layout.decayed, self.layout.size)]

    def _reduce(self) -> None:
        self._over(0, self.layout.decayed, lambda begin, end: self.rule_module.reduce(self.partial, self.gradient, begin, end))

    def _over(self, begin: int, end: int, work: Any) -> None:
        """``work(begin, end)`` on parts of a stretch in whole vectors."""
        step = padded(-(-(end - begin) // self.team.threads), ALIGNED) if end > begin else ALIGNED
        parts = [(at, min(at + step, end)) for at in range(begin, end, step)]
        if parts:
            self.team.run(len(parts), lambda p, t: work(*parts[p]))

    def advance(self, numbers: Numbers) -> None:
        """The rule's step on every parameter."""
        for pair, (begin, end) in zip(numbers, self._stretches(), strict=True):
            self._over(begin, end, lambda b, e, pair=pair: self.rule_module.advance(self.state, self.gradient, *pair, b, e))
