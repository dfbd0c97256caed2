"""The cells of a training grid as functions of values, so that they run here or on another machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import xarray as xr

from optlab import data as data_room
from optlab.data.images import ImageData
from optlab.errors import InputError
from optlab.training.loop import evaluate
from optlab.training.train import prepare


@dataclass(frozen=True)
class Source:
    """Where another machine finds the images: by name, in this folder or its own ``$OPTLAB_DATA``; the fingerprint tells the same ones."""

    name: str
    folder: str | None
    label: str | None
    fingerprint: str

    def images(self) -> ImageData:
        """The images. Raises InputError where this machine has none or others."""
        return _read(self)


@cache
def _read(source: Source) -> ImageData:
    folder = source.folder if source.folder is not None and os.path.isdir(source.folder) else None
    images = data_room.get(source.name, folder=folder, label=source.label)
    if images.fingerprint != source.fingerprint:
        differ = f"{images.fingerprint}, not {source.fingerprint}"
        raise InputError(f"{source.name}: a worker has other images ({differ}): copy the same ones there")
    return images


def trained(images: ImageData | Source, asked: dict[str, Any], **options: Any) -> xr.Dataset:
    """One training run: its curves and its weights at the best epoch. With ``checkpoint=`` an interrupted one goes on."""
    training = prepare(**asked, **options, data=images.images() if isinstance(images, Source) else images)
    try:
        out = training.run(resume=True, test=False)
    finally:
        training.close()
    return out.drop_vars([str(v) for v in out.data_vars if str(v).startswith("last_")])


def tested(images: ImageData | Source, asked: dict[str, Any], run: xr.Dataset, **options: Any) -> xr.Dataset:
    """Test loss and accuracy at the best epoch's weights of a run."""
    training = prepare(**asked, **options, data=images.images() if isinstance(images, Source) else images)
    state = training.learner.state()
    for name in state:
        if f"best_{name}" in run:
            state[name] = run[f"best_{name}"].values.reshape(state[name].shape).astype(state[name].dtype)
    training.learner.restore(state)
    loss, accuracy = evaluate(training.learner, training.task, training.task.test)
    training.close()
    return xr.Dataset({"loss": loss, "accuracy": accuracy})
