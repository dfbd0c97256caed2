"""Training on a CUDA device: the data stand there, and the steps of an epoch are taken without the host."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numba import cuda

from optlab.data.batches import PAD, ImageBatches
from optlab.data.kernels import cuda_kernels
from optlab.data.table_batches import TableBatches
from optlab.ensemble.purposes import Purpose
from optlab.nn.cuda.network import WINDOW, Launch
from optlab.nn.cuda.trainer import CudaTrainer
from optlab.training.models import TrainerLearner

FIRST_STEPS = 8  #: that are taken together at first, then twice as many as long as that takes less than SECONDS
SECONDS = 0.25  #: between two looks at Ctrl-C and the progress bar, about
_THREADS = 256


class DeviceFeed:
    """The training part of a feed on the device, and the launch that writes a batch of it into a network's buffers."""

    def __init__(self, feed: ImageBatches | TableBatches, network: Any) -> None:
        self.feed = feed
        rows = len(feed.training if isinstance(feed, ImageBatches) else feed.training[1])
        self.order = cuda.to_device(np.zeros(rows, np.int64))
        self.place = cuda.to_device(np.zeros(2, np.int64))
        self.augment = isinstance(feed, ImageBatches) and feed.augment
        self.launch = self._images(feed, network) if isinstance(feed, ImageBatches) else self._rows(feed, network)

    def _images(self, feed: ImageBatches, network: Any) -> Launch:
        pixels = feed.training.pixels
        arguments = (
            cuda.to_device(pixels.ravel()), cuda.to_device(feed.training.labels), self.order, cuda.to_device(feed.table.ravel()),
            network.step, self.place, network.images, network.labels, feed.batch, pixels.shape[1], pixels.shape[3], PAD,
            int(Purpose.AUGMENTATION), *map(int, feed.key),
        )  # fmt: skip
        return Launch(cuda_kernels().write_images, -(-feed.batch * pixels.shape[1] * pixels.shape[2] // _THREADS), _THREADS, arguments)

    def _rows(self, feed: TableBatches, network: Any) -> Launch:
        features, targets = feed.training
        wanted = np.ascontiguousarray(targets, network.labels.dtype)
        arguments = (
            cuda.to_device(np.ascontiguousarray(features, network.real).ravel()), cuda.to_device(wanted), self.order, network.step,
            self.place, network.images, network.labels, feed.batch, features.shape[1],
        )  # fmt: skip
        return Launch(cuda_kernels().write_rows, -(-feed.batch * features.shape[1] // _THREADS), _THREADS, arguments)

    def begin(self, epoch: int) -> None:
        """Put the order of an epoch on the device."""
        self.order.copy_to_device(np.ascontiguousarray(self.feed.order(epoch), np.int64))

    def at(self, place: int, epoch: int) -> None:
        """The next steps begin at this batch of the epoch."""
        self.place.copy_to_device(np.array([place, epoch if self.augment else 0], np.int64))


class CudaLearner(TrainerLearner):
    """A :class:`optlab.nn.cuda.trainer.CudaTrainer` as the loop takes it."""

    trainer: CudaTrainer

    def __init__(self, trainer: CudaTrainer) -> None:
        super().__init__(trainer)
        self._feed: DeviceFeed | None = None

    def steps(self, feed: Any, epoch: int, first: int, rates: np.ndarray) -> Iterator[np.ndarray]:
        """The steps of an epoch from batch ``first`` on; see :class:`optlab.training.learner.Learner`."""
        if self._feed is None or self._feed.feed is not feed:
            self._feed = DeviceFeed(feed, self.trainer.network)
        self._feed.begin(epoch)
        done, many = 0, FIRST_STEPS
        while done < len(rates):
            began = time.monotonic()
            self._feed.at(first + done, epoch)
            found = self.trainer.steps_on([self._feed.launch], rates[done : done + many], feed.batch)
            found[:, 2:] = np.sqrt(found[:, 2:])
            done += len(found)
            many = min(WINDOW, 2 * many) if time.monotonic() - began < SECONDS else many
            yield found


__all__ = ["CudaLearner", "DeviceFeed"]
