"""Runs of one model on images as cells: the same images for every seed, looked at where the experiment asks, weights kept if wanted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, cast

import numpy as np
import xarray as xr
from pydantic import Field

from optlab import data as data_room
from optlab import rules
from optlab.data.batches import ImageBatches
from optlab.data.images import ImageData
from optlab.experiments.experiment import ExperimentSpec
from optlab.experiments.grid import training_fingerprint
from optlab.experiments.grid_cells import Source
from optlab.experiments.sweep import Cell, engine_fingerprint
from optlab.expressions import Schedule
from optlab.training.loop import evaluate
from optlab.training.measures import norm
from optlab.training.task import Task, image_task
from optlab.training.train import Training, prepare

LARGEST = 10**6


class ImageSpec(ExperimentSpec):
    """Which images, divided how; the split is that of ``seed``, the same for every run."""

    data: str = "synthetic"
    data_dir: str | None = None  #: folder of the CIFAR-10 files; by default $OPTLAB_DATA
    label: str | None = None  #: what results are labeled with, if the files are not the official ones
    training: Annotated[int, Field(ge=1, le=LARGEST)] = 400
    validation: Annotated[int, Field(ge=1, le=LARGEST)] = 1000
    rule: str = "momentum"
    batch: Annotated[int, Field(ge=1, le=LARGEST)] = 32


@dataclass(frozen=True)
class Asked:
    """One run: all that its numbers depend on, images apart."""

    model: str
    rule: str
    schedule: str | Schedule
    alpha: float
    epochs: int
    seed: int  #: of the initial weights, the order of the images and their augmentation
    split: int  #: seed of the division into training and validation images
    training: int
    validation: int
    batch: int
    augment: bool = False
    marks: tuple[int, ...] = ()  #: epochs after which validation is looked at
    goal: float | None = None  #: training loss at which the run ends, looked at after every epoch
    keep: bool = False  #: whether the last weights are in the result

    def identity(self, images: ImageData) -> dict[str, Any]:
        """What names the cell."""
        rule = rules.get(self.rule)
        held = {key: value for key, value in vars(self).items() if key not in ("rule", "schedule")}
        schedule = self.schedule if isinstance(self.schedule, str) else self.schedule.label()
        prints = {"engine": fingerprint(), "data": images.fingerprint, "data_name": images.name, "rule_fingerprint": rule.fingerprint}
        if not isinstance(self.schedule, str):
            prints["schedule_fingerprint"] = self.schedule.fingerprint
        return {"kind": "images", "rule": rule.label(), "schedule": schedule} | held | {"marks": list(self.marks)} | prints


def fingerprint() -> str:
    """A hash of the source that these cells depend on."""
    return f"{training_fingerprint()}-{engine_fingerprint('experiments/image_runs.py')}"


def read_images(spec: ImageSpec) -> tuple[ImageData, Source]:
    """The images of a spec, and where another machine finds them."""
    images = data_room.get(spec.data, folder=spec.data_dir, label=spec.label)
    return images, Source(spec.data, spec.data_dir, spec.label, images.fingerprint)


def run_cell(name: str, images: ImageData, source: Source, asked: Asked) -> Cell:
    """The cell of one run."""
    return Cell(name, asked.identity(images), partial(descended, images, asked), elsewhere=partial(descended, source, asked), single=True)


def setup(images: ImageData | Source, asked: Asked) -> Training:
    """The model and its data, ready; the split is of its own seed."""
    found = images.images() if isinstance(images, Source) else images
    task = image_task(
        found, batch=asked.batch, seed=asked.split, training=asked.training, validation=asked.validation, augment=asked.augment,
        dtype="float32",
    )  # fmt: skip
    feed = ImageBatches(cast("ImageBatches", task.feed).training, batch=asked.batch, seed=asked.seed, augment=asked.augment)
    return prepare(
        asked.model, rule=asked.rule, schedule=asked.schedule, alpha=asked.alpha, epochs=asked.epochs, batch=asked.batch,
        rng=asked.seed, augment=asked.augment, probe=0, task=replace(task, feed=feed),
    )  # fmt: skip


def descended(images: ImageData | Source, asked: Asked) -> xr.Dataset:
    """One run to its end: the last epoch, the goal or divergence, which is a result: what is measured after it is nan."""
    ready = setup(images, asked)
    try:
        return _descended(ready, asked)
    finally:
        ready.close()


def _descended(ready: Training, asked: Asked) -> xr.Dataset:
    learner, task, rates = ready.learner, ready.task, ready.loop.rates
    seen: dict[int, tuple[float, float]] = {}
    start, steps, lost = training_loss(ready), 0, False
    loss = start
    for epoch in range(1, asked.epochs + 1):
        for inputs, targets in task.feed.epoch(epoch):
            found, _ = learner.step(inputs, targets, float(rates[steps]))
            steps += 1
            if not math.isfinite(found):
                lost = True
                break
        if not lost and epoch in asked.marks:
            seen[epoch] = evaluate(learner, task, task.validation)
            lost = not math.isfinite(seen[epoch][0])
        if not lost and asked.goal is not None:
            loss = training_loss(ready)
            lost = not math.isfinite(loss)
        if lost or (asked.goal is not None and loss <= asked.goal):
            break
    nothing = (math.nan, math.nan)
    if asked.goal is None:
        loss = math.nan if lost else training_loss(ready)
    last = nothing if lost else evaluate(learner, task, task.validation)
    values: dict[str, Any] = {
        "start_loss": start, "train_loss": math.nan if lost else loss, "validation_loss": last[0], "validation_accuracy": last[1],
        "steps": steps, "diverged": int(lost), "gradient_norm": math.nan if lost or not asked.keep else gradient_norm(ready),
    }  # fmt: skip
    if asked.keep:
        values["parameters"] = ("parameter", learner.parameters.copy())
    if asked.marks:
        looks = np.array([nothing if lost else seen.get(mark, nothing) for mark in asked.marks])
        values |= {"mark_loss": ("mark", looks[:, 0]), "mark_accuracy": ("mark", looks[:, 1])}
    return xr.Dataset(values, {"mark": list(asked.marks)} if asked.marks else {})


def training_loss(ready: Training) -> float:
    """Mean loss over every training image as it is, as in use."""
    return evaluate(ready.learner, ready.task, images_of(ready.task))[0]


def images_of(task: Task) -> Any:
    """The training images."""
    return cast("ImageBatches", task.feed).training


def gradient_norm(ready: Training) -> float:
    """Of the gradient of the mean training loss over every image as it is: how near the end is to a stationary point."""
    learner, state = ready.learner, ready.learner.state()
    total, count = np.zeros(learner.gradient.shape), 0
    for inputs, targets in ready.task.feed.plain(images_of(ready.task)):
        learner.step(inputs, targets, 0.0)
        total += learner.gradient.astype(np.float64) * len(targets)
        count += len(targets)
        learner.restore(state)
    return norm(total / count)


def seeds_of(seed: int, places: Sequence[int]) -> list[int]:
    """Seeds of runs, apart for every seed of an experiment."""
    return [1000 * seed + place for place in places]


__all__ = ["Asked", "ImageSpec", "descended", "images_of", "read_images", "run_cell", "seeds_of", "setup", "training_loss"]
