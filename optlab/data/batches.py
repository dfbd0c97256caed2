"""Batches of images: shuffled by epoch, augmented, normalized; each a pure function of (seed, epoch, place)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from optlab.data.images import Images, channel_statistics
from optlab.data.kernels import kernels
from optlab.ensemble.philox import stream_key
from optlab.ensemble.purposes import Purpose
from optlab.errors import InputError

PAD = 4  #: pixels by which a crop may move, each way


class ImageBatches:
    """The batches of a set of images, in float32 or float64, NHWC.

    Parameters
    ----------
    training
        The images to train on; their channels' mean and deviation normalize every part.
    batch
        Images per batch. An epoch has ``len(training) // batch`` batches: the rest of a shuffled epoch is left out.
    seed
        Same seed, same batches: order by (seed, epoch), crop and flip by (seed, epoch, image). Threads have no say in it.
    augment
        Random crops of the image in a border of ``PAD`` pixels of the mean color, and a mirror image every second time.

    Raises InputError for a batch that the images cannot fill.

    >>> images = Images(np.arange(96, dtype=np.uint8).reshape(8, 2, 2, 3), np.arange(8, dtype=np.uint8))
    >>> batches = ImageBatches(images, batch=3, seed=0)
    >>> [(x.shape, y.tolist()) for x, y in batches.epoch(1)]
    [((3, 2, 2, 3), [7, 0, 1]), ((3, 2, 2, 3), [5, 2, 4])]
    """

    def __init__(self, training: Images, *, batch: int, seed: int, augment: bool = True, dtype: str = "float32") -> None:
        if not 0 < batch <= len(training):
            raise InputError(f"batch = {batch} must be from 1 to {len(training)}, the number of training images")
        self.training, self.batch, self.seed, self.augment = training, batch, seed, augment
        self.mean, self.deviation = channel_statistics(training)
        self.key = stream_key(seed, None)
        values = (np.arange(256) / 255 - self.mean[:, None]) / self.deviation[:, None]
        self.table = np.ascontiguousarray(values, dtype)  #: (channels, 256): what each byte becomes
        self.dtype = self.table.dtype

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return len(self.training) // self.batch

    def order(self, epoch: int) -> np.ndarray:
        """The rows of one epoch (from 1), in the order in which they are taken."""
        zero = np.uint32(0)
        return kernels().permutation(len(self.training), zero, np.uint32(epoch), np.uint32(Purpose.PERMUTATION), *self.key)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches ``first``, ``first + 1``, ... of an epoch (from 1): images, written anew for each batch, and int64 labels."""
        order = self.order(epoch)
        out = np.empty((self.batch, *self.training.pixels.shape[1:]), self.dtype)
        for place in range(first, self.steps):
            rows = order[place * self.batch : (place + 1) * self.batch]
            self._write(self.training, rows, out, epoch if self.augment else 0)
            yield out, self.training.labels[rows].astype(np.int64)

    def plain(self, images: Images, batch: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Every image once, in order, normalized and not augmented; the last batch may be smaller."""
        size = batch or self.batch
        out = np.empty((min(size, len(images)), *images.pixels.shape[1:]), self.dtype)
        for start in range(0, len(images), size):
            rows = np.arange(start, min(start + size, len(images)))
            self._write(images, rows, out, 0)
            yield out[: len(rows)], images.labels[rows].astype(np.int64)

    def _write(self, images: Images, rows: np.ndarray, out: np.ndarray, epoch: int) -> None:
        fill = self.dtype.type(0)  # the mean color, once normalized
        purpose = np.uint32(Purpose.AUGMENTATION)
        kernels().write_batch(images.pixels, rows, self.table, fill, out[: len(rows)], epoch, PAD, True, purpose, *self.key)
