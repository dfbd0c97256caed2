"""Training steps of a model: buffers, the passes over them, and on the CPU the threads that share their shards."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from threading import Lock, Thread
from typing import Any

import numpy as np

from optlab import rules
from optlab.ensemble.philox import read_seed
from optlab.ensemble.plans import rule_plan
from optlab.ensemble.specs import BACKENDS
from optlab.errors import InputError, UnknownNameError, UnsupportedError
from optlab.expressions import Rule
from optlab.nn.models import Model
from optlab.nn.network import Network
from optlab.nn.shapes import SHARDS
from optlab.threads import usable_threads


class Team:
    """Threads that take the shards of a pass one by one; which thread takes which changes no number.

    A pass lasts a millisecond or two, so helpers wait at bare locks: an executor's queue and futures take 4 % of a step of ResNet-20.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._begin, self._done = ([Lock() for _ in range(threads - 1)] for _ in range(2))
        self._take: Callable[[int], None] | None = None  #: what a helper does when it may begin; None: end
        self._error: BaseException | None = None
        for lock in (*self._begin, *self._done):
            lock.acquire()
        self._helpers = [Thread(target=self._wait, args=(number,), daemon=True) for number in range(1, threads)]
        for helper in self._helpers:
            helper.start()

    def _wait(self, number: int) -> None:
        begin, done = self._begin[number - 1], self._done[number - 1]
        while begin.acquire() and self._take is not None:
            try:
                self._take(number)
            except BaseException as error:
                self._error = error
            done.release()

    def run(self, tasks: int, work: Callable[[int, int], None]) -> None:
        """``work(task, thread)`` for every task; a thread has at most one task at a time."""
        helpers = range(min(self.threads, tasks) - 1)
        if not helpers:
            for task in range(tasks):
                work(task, 0)
            return
        turn = count()

        def take(thread: int) -> None:
            while (task := next(turn)) < tasks:
                work(task, thread)

        self._take = take
        for helper in helpers:
            self._begin[helper].release()
        try:
            take(0)
        finally:
            for helper in helpers:
                self._done[helper].acquire()
            error, self._error, self._take = self._error, None, None  # holding no work, a team keeps no buffers alive
        if error is not None:
            raise error

    def close(self) -> None:
        """Let the threads go."""
        self._take = None
        for begin, helper in zip(self._begin, self._helpers, strict=True):
            begin.release()
            helper.join()
        self._begin, self._done, self._helpers, self.threads = [], [], [], 1


def chosen_backend(backend: str) -> str:
    """``"cpu"`` or ``"cuda"``: ``"auto"`` takes CUDA where a device answers. Raises UnknownNameError, MissingDependencyError.

    >>> chosen_backend("cpu")
    'cpu'
    """
    if backend not in BACKENDS:
        raise UnknownNameError("backend", backend, BACKENDS)
    if backend == "cpu":
        return backend
    from optlab.codegen.cuda import reason_without, require

    if backend == "auto":
        return "cpu" if reason_without() else "cuda"
    require()
    return backend


PRECISIONS = ("full", "bf16")


def check_precision(precision: str, place: str) -> None:
    """Raise UnknownNameError, or UnsupportedError where ``place`` (a backend) does not train in this precision."""
    if precision not in PRECISIONS:
        raise UnknownNameError("precision", precision, PRECISIONS)
    if precision == "bf16" and place != "cuda":
        raise UnsupportedError("precision = 'bf16' multiplies on a CUDA device's tensor cores: give backend='cuda', or precision='full'")


@dataclass(frozen=True)
class Batch:
    """What a step or an evaluation found: the mean ``loss`` over ``images`` images, and how many were classified right."""

    loss: float
    correct: int
    images: int


class Trainer:
    """A model in training: its parameters, the rule's states, and steps on batches.

    Parameters
    ----------
    model
        From :func:`optlab.nn.resnet20` and the like.
    rule
        An optimizer: a name, a call such as ``"adamw(wd=0.05)"``, a file, or a :class:`~optlab.expressions.Rule`.
    batch
        The most images of a step; buffers are made for it.
    threads
        Threads, 1 to 8, by default as many as there are cores. Results do not depend on it.
    decay_norms
        Whether weight decay (a rule's parameter ``wd``) also takes the norms' parameters and the shifts; by default it does not.
    rng
        The seed of the initial weights.
    backend
        ``"cpu"``, ``"cuda"`` (see :mod:`optlab.nn.cuda`), or ``"auto"``: CUDA where a device answers. On a device the buffers below are
        copies on the host, and ``threads`` means nothing.
    precision
        ``"full"``: all in the model's dtype. ``"bf16"``, on CUDA, of models with 3 x 3 convolutions in float32: their products are of
        bfloat16 numbers, and activations stand in those, rounded to nearest, ties to even; weights, their gradient, the rule's step,
        statistics and every sum stay in float32 or wider (:mod:`optlab.nn.cuda.mixed`).

    ``parameters`` is the flat buffer in the model's dtype (see :mod:`optlab.nn.parameters`), ``gradient`` that of the last step,
    ``states`` the rule's states, a row each, ``running`` the norms' running values, ``steps`` the number of steps done.
    Raises InputError for options out of range, MissingDependencyError where there is no device to train on, UnsupportedError where model,
    backend or device do not go with the precision.

    >>> import numpy as np
    >>> from optlab import nn
    >>> trainer = nn.Trainer(nn.logistic(features=2, classes=2), "sgd", batch=4, threads=1)
    >>> images, labels = np.array([[1, 0], [0, 1], [2, 1], [0, 3]], np.float32), np.array([0, 1, 0, 1])
    >>> [round(trainer.step(images, labels, 0.5).loss, 3) for _ in range(3)]
    [0.693, 0.463, 0.35]
    >>> trainer.evaluate(images, labels).correct
    4
    """

    place = "cpu"  #: where it computes

    def __new__(cls, *args: Any, backend: str = "cpu", **options: Any) -> Trainer:
        """The trainer of this backend."""
        if cls is Trainer and chosen_backend(backend) == "cuda":
            from optlab.nn.cuda.trainer import CudaTrainer

            return super().__new__(CudaTrainer)
        return super().__new__(cls)

    def __init__(
        self, model: Model, rule: Rule | str, *, batch: int = 128, threads: int | None = None, decay_norms: bool = False, rng: Any = 0,
        backend: str = "cpu", precision: str = "full",
    ) -> None:  # fmt: skip
        if not isinstance(model, Model):
            raise InputError(f"{model!r} is no model: give one such as optlab.nn.resnet20()")
        threads = min(usable_threads(), SHARDS) if threads is None else threads
        for name, value, most in (("batch", batch, 1 << 20), ("threads", threads, SHARDS)):
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise InputError(f"{name} = {value!r} must be a whole number from 1 to {most}")
        check_precision(precision, self.place)
        self.model, self.batch, self.precision = model, batch, precision
        self.rule = rules.get(rule)
        self._open(threads)
        undecayed = self.rule.with_(wd=0) if not decay_norms and "wd" in map(str, self.rule.parameters) else self.rule
        self._plans = [rule_plan(self.rule), rule_plan(undecayed)]  # of the filters, and of the norms' parameters
        self._constants = [plan.constants.astype(model.dtype) for plan in self._plans]
        self._carried = np.array([plan.facts["carried"] for plan in self._plans], np.float64)
        self.steps = 0
        start = self.state()
        self.layout.start(start["parameters"], read_seed(rng))
        self.layout.start_running(start["running"])
        for row, value in zip(start["states"], self._plans[0].initial, strict=True):
            row[:] = value
        self._write(start)

    def _open(self, threads: int) -> None:
        """Make the buffers, and what computes on them."""
        self.team = Team(threads)
        weakref.finalize(self, self.team.close)
        self.network: Any = Network(self.model, self.rule.unbound(), self.batch, self.team)
        self.layout = self.network.layout

    @property
    def parameters(self) -> np.ndarray:
        """The flat buffer of parameters; writing to it changes the model."""
        found: np.ndarray = self.network.state[: self.layout.size]
        return found

    @property
    def states(self) -> np.ndarray:
        """The rule's states, shape (states, parameters)."""
        found: np.ndarray = self.network.state.reshape(-1, self.layout.size)[1:]
        return found

    @property
    def gradient(self) -> np.ndarray:
        """Of the mean loss of the last step's batch, by every parameter."""
        found: np.ndarray = self.network.gradient
        return found

    @property
    def running(self) -> np.ndarray:
        """The norms' running values, flat, float64."""
        found: np.ndarray = self.network.running
        return found

    def named(self) -> dict[str, np.ndarray]:
        """Views of the parameters by name, such as ``stem.weight`` of shape (taps, taps, inputs, outputs)."""
        return self.layout.named(self.parameters)

    def step(self, images: np.ndarray, labels: np.ndarray, rate: float) -> Batch:
        """One step of the rule on a batch, with learning rate ``rate``; the loss is that before the step.

        ``images`` has shape (images, side, side, channels) or (images, features), ``labels`` (images,) whole numbers for a classifier,
        (images, outputs) or (images,) numbers for a regression. A loss that is not finite is a result, not an error.
        """
        images, labels = self._read(images, labels)
        if not rate >= 0:
            raise InputError(f"rate = {rate!r} must be a number of at least 0")
        found = self._step(images, labels, self._numbers(float(rate)))
        self.steps += 1
        return Batch(*found)

    def _step(self, images: np.ndarray, labels: np.ndarray, numbers: Any) -> tuple[float, int, int]:
        found: tuple[float, int, int] = self.network.gradients(images, labels, numbers)
        self.network.advance(numbers)
        return found

    def _losses(self, images: np.ndarray, labels: np.ndarray) -> tuple[float, int, int]:
        found: tuple[float, int, int] = self.network.losses(images, labels)
        return found

    def evaluate(self, images: np.ndarray, labels: np.ndarray) -> Batch:
        """Loss and accuracy of any number of images with running values in the norms; nothing changes."""
        if len(images) == 0:
            raise InputError("there are no images to evaluate: give at least one")
        loss, correct = 0.0, 0
        for start in range(0, len(images), self.batch):
            part = self._losses(*self._read(images[start : start + self.batch], labels[start : start + self.batch]))
            loss, correct = loss + part[0] * part[2], correct + part[1]
        return Batch(loss / len(images), correct, len(images))

    def state(self) -> dict[str, np.ndarray]:
        """All that a step depends on, as arrays: what to keep in order to go on later."""
        return {
            "parameters": self.parameters.copy(), "states": self.states.copy(), "running": self.running.copy(),
            "carried": self._carried.copy(), "steps": np.array(self.steps, np.int64),
        }  # fmt: skip

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a :meth:`state`. Raises InputError if it is of another model or rule."""
        own = self.state()
        for name, value in own.items():
            there = np.asarray(state[name]) if name in state else None
            if there is None or there.shape != value.shape or there.dtype != value.dtype:
                found = "nothing" if there is None else f"{there.dtype} of shape {there.shape}"
                raise InputError(
                    f"the state's {name!r} is {found}, not {value.dtype} of shape {value.shape}: it is of another model or rule"
                )
        self._write(state)
        self._carried[:], self.steps = state["carried"], int(state["steps"])

    def _write(self, state: Mapping[str, np.ndarray]) -> None:
        """Put parameters, the rule's states and running values into the buffers."""
        self.parameters[:], self.states[:], self.running[:] = state["parameters"], state["states"], state["running"]

    def close(self) -> None:
        """End the threads; the trainer takes no more steps."""
        self.team.close()

    def _numbers(self, rate: float) -> list[tuple[np.ndarray, np.ndarray]]:
        """The rule's constants and the scalars of the next step, for the filters and for the norms' parameters."""
        scalars = [
            plan.scalars(rate, self.steps, row).astype(self.model.dtype) for plan, row in zip(self._plans, self._carried, strict=True)
        ]
        return list(zip(self._constants, scalars, strict=True))

    def _read(self, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images, labels = np.require(images, self.model.dtype, ["C", "A", "W"]), np.asarray(labels)
        if images.shape[1:] != self.model.image_shape or not 1 <= len(images) <= self.batch:
            shape = ", ".join(map(str, self.model.image_shape))
            raise InputError(f"images of shape {images.shape} do not fit: {self.model.name} takes (1 to {self.batch}, {shape})")
        if self.model.objective == "squared_error":
            if labels.size != len(images) * self.model.outputs:
                raise InputError(f"targets of shape {labels.shape} do not fit {len(images)} rows and {self.model.outputs} outputs")
            return images.ravel(), np.require(labels, np.float64, ["C", "A", "W"]).ravel()
        if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
            raise InputError(f"labels of shape {labels.shape} and type {labels.dtype} do not fit: give {len(images)} whole numbers")
        if labels.min() < 0 or labels.max() >= self.model.outputs:
            raise InputError(f"labels lie in {labels.min()} .. {labels.max()}: {self.model.name} has classes 0 .. {self.model.outputs - 1}")
        return images.ravel(), labels.astype(np.int64)
