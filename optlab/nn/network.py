"""The passes of a model over its buffers: forward layer by layer, backward in reverse, each pass in shards of the batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from optlab.codegen.rules import lowered
from optlab.expressions import Rule
from optlab.nn import kernels
from optlab.nn.compiling import Job, prepare
from optlab.nn.kernels import SINK_MODES, SOURCE_MODES
from optlab.nn.models import Layer, Model
from optlab.nn.norm_maps import norm_maps
from optlab.nn.parameters import Layout, aligned
from optlab.nn.shapes import ALIGNED, SHARDS, Shape, padded, shape_of, shard_size
from optlab.symbols import theta

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
    passed: np.ndarray | None = None  #: where the gradient by its input goes (what is no longer needed may be overwritten)
    gradient: np.ndarray | None = None  #: where that by its normalized result is found

    @property
    def by_rows(self) -> bool:
        """Whether its norm's groups are the channels of one pixel."""
        return norm_maps(self.layer.norm).groups == "rows"


class Network:
    """The buffers and passes of a model for batches of up to ``batch`` images."""

    def __init__(self, model: Model, rule: Rule, batch: int, team: Team) -> None:
        self.model, self.batch, self.team = model, batch, team
        self.layout = Layout(model)
        self.shard = shard_size(model, batch)
        shapes = [shape_of(layer, model.dtype) for layer in model.layers]
        self.rule_module = kernels.loaded(kernels.flat_source(rule, model.dtype))
        self.objective = kernels.loaded(kernels.objective_source(model))
        size = self.layout.size
        self.state = self._new(size * (1 + len(rule.coordinate_states)))
        self.gradient, self.partial = self._new(size), self._new(size * SHARDS)
        self.looks = lowered(rule).point != theta
        self.point = self._new(size) if self.looks else self.state[:size]
        self.running = aligned(self.layout.running_size, "float64")
        self.none = self._new(ALIGNED)
        self.pooling: ModuleType | None = None
        self.stages: list[Stage] = []
        kept: np.ndarray | None = None
        for number, (layer, shape) in enumerate(zip(model.layers, shapes, strict=True)):
            stage, kept = self._stage(number, layer, shape, kept)
            self.stages.append(stage)
        self._place_gradients()
        most = max(stage.shape.outputs for stage in self.stages) * 2
        self.sums, self.totals, self.own_totals = (aligned(batch * most, "float64") for _ in range(3))
        self.losses_of, self.hits = np.zeros(batch), np.zeros(batch, np.int64)
        threads = range(team.threads)
        self.scratch = [self._new(max(s.places()["SCRATCH"] for s in shapes)) for _ in threads]
        self.products = [self._new(max(s.products for s in shapes)) for _ in threads]
        self.work = [self._new(max(s.layer.taps**2 * s.layer.inputs * s.outputs for s in shapes)) for _ in threads]
        self._prepare()

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
        jobs.append((kernels.loaded(kernels.start_source()), "fill_normals", kernels.SIGNATURES["fill_normals"]))
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
            text = kernels.pooling_source(layer, side, before.norm, dtype, block)
            self.pooling, self.pool_source, self.pool_skip = kernels.loaded(text), block, kept
            self.pool_kept, images = self._new(self.batch * side**2 * layer.inputs), self._new(self.batch * layer.inputs)
            source, sink = "images", "plain"
        elif source in _KEPT:
            own, skip = self._new(self.batch * layer.side**2 * shape.inputs), kept
            sink = "same" if layer.stride == 1 else "down"
        sources, wanted = self._served(layer)
        text = kernels.convolution_source(shape, dtype, None if source == "images" else before.norm, sources, wanted)
        rows, width = max(4, len(norm_maps(layer.norm).parameters)), shape.outputs
        stage = Stage(
            layer, shape, kernels.loaded(text), kernels.loaded(kernels.norm_source(layer.norm)), number, source, sink,
            self._new(self.batch * layer.side_after**2 * width), self._new(shape.packed), self._new(rows * width), self._new(rows * width),
            aligned(4 * width, "float64"), images, own, skip,
        )  # fmt: skip
        return stage, kept if own is None else own

    def _served(self, layer: Layer) -> tuple[set[str], set[str]]:
        """The sources and sinks of all layers of the same size and norm: one module serves them."""
        same = [one for one in self.model.layers if replace(one, name="", source="active") == replace(layer, name="", source="active")]
        sinks = {"images": "", "pooled": "plain", "active": "active"}
        found = {sinks.get(one.source, "same" if one.stride == 1 else "down") for one in same} - {""}
        return {"images" if one.source == "pooled" else str(one.source) for one in same}, found

    def _place_gradients(self) -> None:
        """Where the gradients go: over a layer's kept input, its result where that has the input's size, else into their own."""
        above = self.logit_gradient = self._new(self.batch * self.stages[-1].shape.outputs)
        for stage in reversed(self.stages):
            stage.gradient = above
            if stage.sink == "nothing":
                continue
            if stage.kept is not None:
                stage.passed = stage.kept
            else:
                size = self.batch * stage.layer.side**2 * stage.shape.inputs
                alike = stage.layer.stride == 1 and stage.sink == "active" and stage.shape.inputs == stage.shape.outputs
                stage.passed = stage.result if alike else self._new(size)
            above = self.pool_kept if stage.layer.source == "pooled" else stage.passed

    def _block(self, number: int) -> str:
        """How the shortcut over the block that ends with this layer reaches its end."""
        return "down" if self.model.layers[number - 1].stride == 2 else "same"

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
            self._run(stage.module.forward, shards, arguments)
            place, run_place = self.layout.norms[stage.number], self.layout.running[stage.number]
            width, many = stage.layer.outputs, stage.shape.outputs
            if training:
                n = float(size * stage.layer.side_after**2)
                stage.norm.after_forward(
                    self.sums, size, n, weights, place, width, many, stage.slopes, stage.facts, self.running, run_place
                )
            else:
                stage.norm.from_running(weights, place, width, many, stage.slopes, self.running, run_place)

    def _run(self, function: Any, shards: list[tuple[int, int]], arguments: tuple[Any, ...]) -> None:
        self.team.run(len(shards), lambda shard, thread: function(*shards[shard], *arguments, self.scratch[thread]))

    def _or_none(self, array: np.ndarray | None) -> np.ndarray:
        return self.none if array is None else array

    def _pool(self, shards: list[tuple[int, int]], before: Stage) -> None:
        assert self.pooling is not None
        forward, pooled = self.pooling.forward, self.stages[before.number + 1].images
        arguments = (
            SOURCE_MODES[self.pool_source], self.none, before.result, before.slopes, self._or_none(self.pool_skip), self.pool_kept, pooled,
        )  # fmt: skip
        self._run(forward, shards, arguments)

    def _objective(self, size: int, labels: np.ndarray) -> tuple[float, int, int]:
        last = self.stages[-1]
        self.objective.objective(
            0, size, last.result, last.slopes, labels, 1 / size, self.logit_gradient, self.totals, self.losses_of, self.hits
        )  # fmt: skip
        return float(self.losses_of[:size].sum()) / size, int(self.hits[:size].sum()), size

    def losses(self, images: np.ndarray, labels: np.ndarray) -> tuple[float, int, int]:
        """Mean loss, correct classifications and number of images, with running values."""
        size = len(images) // int(np.prod(self.model.image_shape))
        self._forward(images, size, self.state[: self.layout.size], training=False)
        return self._objective(size, labels)

    def results(self, images: np.ndarray) -> list[np.ndarray]:
        """What each layer's norm is given, shape (images, pixels, channels), of a batch in training; running values stay as they are."""
        size, held = len(images) // int(np.prod(self.model.image_shape)), self.running.copy()
        self._forward(images, size, self.state[: self.layout.size], training=True)
        self.running[:] = held
        shapes = [(size, stage.layer.side_after**2, stage.shape.outputs) for stage in self.stages]
        return [
            stage.result[: int(np.prod(shape))].reshape(shape)[..., : stage.layer.outputs].copy()
            for stage, shape in zip(self.stages, shapes, strict=True)
        ]

    def gradients(self, images: np.ndarray, labels: np.ndarray, numbers: Numbers) -> tuple[float, int, int]:
        """The same of a batch in training; its gradient comes into ``gradient``."""
        size = len(images) // int(np.prod(self.model.image_shape))
        if self.looks:
            for pair, (begin, end) in zip(numbers, self._stretches(), strict=True):
                self.rule_module.look_ahead(self.state, self.point, *pair, begin, end)
        self._forward(images, size, self.point, training=True)
        found = self._objective(size, labels)
        shards = self._shards(size)
        self.partial[self.layout.size * len(shards) :] = 0
        for stage in reversed(self.stages):
            if not stage.by_rows:
                self._after_backward(stage, size, self.totals)
            self._backward(stage, images, shards)
            if stage.by_rows:
                self._after_backward(stage, size, self.own_totals)
            if stage.layer.source == "pooled":
                self._unpool(shards, stage)
        self._reduce()
        return found

    def _after_backward(self, stage: Stage, size: int, totals: np.ndarray) -> None:
        stage.norm.after_backward(
            totals, size, float(size * stage.layer.side_after**2), self.point, self.layout.norms[stage.number], stage.layer.outputs,
            stage.shape.outputs, stage.facts, stage.back, self.gradient,
        )  # fmt: skip

    def _backward(self, stage: Stage, images: np.ndarray, shards: list[tuple[int, int]]) -> None:
        given, before = images if stage.images is None else stage.images, self.stages[stage.number - 1]
        source = "kept" if stage.kept is not None else stage.source
        upper = self.none if stage.kept is None else self.stages[stage.number + 1].gradient
        first = (
            SOURCE_MODES[source], SINK_MODES[stage.sink], given, before.result, before.slopes, self._or_none(stage.kept), stage.packed,
            stage.result, stage.slopes if stage.by_rows else stage.back, stage.gradient, self.own_totals, upper,
            self._or_none(stage.passed), self.totals,
        )  # fmt: skip
        place, size = self.layout.weights[stage.number], self.layout.size

        def work(s: int, t: int) -> None:
            products = self.products[t][: stage.shape.products]
            stage.module.backward(*shards[s], *first, products, self.partial, place + s * size, self.work[t], self.scratch[t])

        self.team.run(len(shards), work)

    def _unpool(self, shards: list[tuple[int, int]], stage: Stage) -> None:
        assert self.pooling is not None
        backward, before = self.pooling.backward, self.stages[stage.number - 1]
        arguments = (SINK_MODES["kept"], before.result, before.slopes, self.pool_kept, stage.passed, self.pool_kept, self.totals)
        self._run(backward, shards, arguments)

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
            self._over(begin, end, partial(self._advance, pair))

    def _advance(self, pair: tuple[np.ndarray, np.ndarray], begin: int, end: int) -> None:
        self.rule_module.advance(self.state, self.gradient, *pair, begin, end)
