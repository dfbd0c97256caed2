"""Training of a small network with one normalization or none: the cells of the experiment and of the claims on normalizations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np
import xarray as xr

from optlab import rules
from optlab.data.batches import ImageBatches
from optlab.data.images import ImageData
from optlab.data.textures import synthetic
from optlab.experiments.activations import activations, conditioning
from optlab.experiments.kinds import spec_head
from optlab.experiments.sweep import Cell
from optlab.nn.trainer import Trainer
from optlab.training.models import build_model

NORMS = ("none", "batch", "layer", "rms")
LIMIT = 1e3  #: a mean loss above this has diverged, like one that is not finite
LOOKED = 500


def named(model: str, norm: str) -> str:
    """A call of a model with its norm.

    >>> named("mlp(hidden=[8, 8])", "batch"), named("resnet8", "rms")
    ('mlp(hidden=[8, 8], norm=batch)', 'resnet8(norm=rms)')
    """
    head = model.removesuffix("()")
    return f"{head[:-1]}, norm={norm})" if head.endswith(")") else f"{head}(norm={norm})"


def cell(
    model: str, norm: str, alpha: float, *, rule: str = "sgd", batch: int, steps: int, seed: int, training: int, test: int, size: int = 8,
    records: int = 1, gram: bool = False, shifts: tuple[tuple[float, float], ...] = (),
) -> Cell:  # fmt: skip
    """One training run; see :func:`trained`. The seed is that of the images, of the weights and of the order."""
    options: dict[str, Any] = {
        "model": named(model, norm), "rule": rules.get(rule).label(), "alpha": alpha, "batch": batch, "steps": steps, "seed": seed,
        "training": training, "test": test, "size": size, "records": records, "gram": gram, "shifts": [list(pair) for pair in shifts],
    }  # fmt: skip
    spec = spec_head("norm_training") | {"rule_fingerprint": rules.get(rule).fingerprint}
    return Cell(
        f"{model}, {norm}, {rule} at {alpha:g}, batch {batch}, seed {seed}",
        spec | options,
        partial(trained, **options | {"rule": rule}),
        single=True,
    )


def trained(
    *, model: str, rule: str, alpha: float, batch: int, steps: int, seed: int, training: int, test: int, size: int, records: int,
    gram: bool, shifts: list[list[float]],
) -> xr.Dataset:  # fmt: skip
    """Train on ``training`` textures of ``size`` by ``size`` pixels at a constant rate; look at the start and ``records`` times, evenly.

    Over ``record``: the loss of the training images and the loss and accuracy of ``test`` other images in evaluation mode, and the mean
    loss of the steps since the last look, in training mode. Beside them: the accuracy of the test images in training mode (each batch
    of ``batch`` with its own statistics), under each of ``shifts`` (factor, offset: every normalized input becomes factor x + offset)
    in evaluation mode, the step of divergence (-1: none), and with ``gram`` the conditioning of every layer's activations at both ends.
    """
    images = _images(training, test, size, seed)
    feed = ImageBatches(images.training, batch=batch, seed=seed, augment=False)
    built = build_model(model, images.shape, len(images.classes))
    trainer = Trainer(built, rule, batch=max(batch, min(training, LOOKED)), threads=1, rng=seed)
    try:
        return _run(trainer, feed, images.test, alpha, steps, records, gram, shifts)
    finally:
        trainer.close()


@lru_cache(maxsize=8)
def _images(training: int, test: int, size: int, seed: int) -> ImageData:
    return synthetic(training, test, size=size, seed=seed)


def _run(trainer: Trainer, feed: ImageBatches, test: Any, alpha: float, steps: int, records: int, gram: bool, shifts: Any) -> xr.Dataset:
    at = np.unique(np.rint(np.linspace(0, steps, records + 1)).astype(int))
    looks = np.full((len(at), 3), np.nan)
    spectra = np.full((2, len(trainer.model.layers) - 1, 2), np.nan)
    own = np.full(len(at), np.nan)
    seen, _ = next(feed.plain(feed.training, min(LOOKED, len(feed.training))))
    seen = _fit(trainer, seen).copy()
    since: list[float] = []
    diverged, done = -1, 0
    epoch = 0
    source: Iterator[Any] = iter(())
    for row, end in enumerate(at):
        while done < end and diverged < 0:
            pair = next(source, None)
            if pair is None:
                epoch += 1
                source = iter(feed.epoch(epoch))
                continue
            loss = trainer.step(_fit(trainer, pair[0]), pair[1], alpha).loss
            if not (math.isfinite(loss) and loss <= LIMIT):
                diverged = done
            since.append(loss)
            done += 1
        if diverged >= 0:
            break
        looks[row] = [_evaluated(trainer, feed, feed.training)[0], *_evaluated(trainer, feed, test)]
        own[row] = float(np.mean(since)) if since else _own(trainer, feed, feed.training)[0]
        since = []
        if gram and row in (0, len(at) - 1):
            spectra[int(row > 0)] = [conditioning(rows) for rows in activations(trainer, seen)]
    whole = diverged < 0
    after = _own(trainer, feed, test) if whole else (np.nan, np.nan)
    shifted = [_evaluated(trainer, feed, test, *pair)[1] if whole else np.nan for pair in shifts]
    variables: dict[str, Any] = {
        "training_loss": ("record", looks[:, 0], {"long_name": "mean loss of the training images, in evaluation mode"}),
        "test_loss": ("record", looks[:, 1], {"long_name": "mean loss of the test images, in evaluation mode"}),
        "test_accuracy": ("record", looks[:, 2], {"long_name": "fraction of the test images right, in evaluation mode"}),
        "step_loss": ("record", own, {"long_name": "mean loss of the steps since the last look, in training mode"}),
        "own_loss": ((), after[0], {"long_name": "loss of the test images after the last step, in training mode"}),
        "own_accuracy": ((), after[1], {"long_name": "fraction of them right, in training mode"}),
        "shifted_accuracy": ("shift", shifted, {"long_name": "fraction of shifted test images right, in evaluation mode"}),
        "diverged_at": ((), diverged, {"long_name": f"step whose loss was not finite or above {LIMIT:g}; -1: none"}),
    }  # fmt: skip
    if gram:
        for k, name in enumerate(("condition", "rank")):
            variables[name] = (("end", "layer"), spectra[..., k])
    return xr.Dataset(variables, {"record": at})


def _fit(trainer: Trainer, inputs: np.ndarray) -> np.ndarray:
    return inputs.reshape(len(inputs), *trainer.model.image_shape)


def _evaluated(trainer: Trainer, feed: ImageBatches, part: Any, factor: float = 1.0, offset: float = 0.0) -> tuple[float, float]:
    """Mean loss and fraction right with running values, of inputs that become factor x + offset."""
    loss, right = 0.0, 0
    for inputs, labels in feed.plain(part, trainer.batch):
        found = trainer.evaluate(_fit(trainer, factor * inputs + offset if (factor, offset) != (1.0, 0.0) else inputs), labels)
        loss, right = loss + found.loss * found.images, right + found.correct
    return loss / len(part), right / len(part)


def _own(trainer: Trainer, feed: ImageBatches, part: Any) -> tuple[float, float]:
    """The same in training mode, in batches of the run's own size; nothing changes."""
    state, loss, right, count = trainer.state(), 0.0, 0, 0
    for inputs, labels in feed.plain(part):
        if len(labels) < feed.batch:
            break
        found = trainer.step(_fit(trainer, inputs), labels, 0.0)
        loss, right, count = loss + found.loss * found.images, right + found.correct, count + found.images
    trainer.restore(state)
    return loss / max(count, 1), right / max(count, 1)
