"""Labeled images as bytes, and how they are divided: training, validation, test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optlab.data.kernels import kernels
from optlab.ensemble.philox import stream_key
from optlab.ensemble.purposes import Purpose
from optlab.errors import InputError


@dataclass(frozen=True, eq=False)
class Images:
    """Pixels (n, height, width, channels) and labels (n,), both uint8.

    Raises InputError if the arrays do not fit together.

    >>> len(Images(np.zeros((2, 32, 32, 3), np.uint8), np.array([0, 1], np.uint8)))
    2
    """

    pixels: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        fits = self.pixels.ndim == 4 and self.labels.shape == self.pixels.shape[:1]
        if not fits or self.pixels.dtype != np.uint8 or self.labels.dtype != np.uint8:
            found = f"pixels {self.pixels.shape} {self.pixels.dtype}, labels {self.labels.shape} {self.labels.dtype}"
            raise InputError(f"images do not fit ({found}): give pixels (n, height, width, channels) and labels (n,), both uint8")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> Images:
        """The images of these rows, in this order."""
        return Images(np.ascontiguousarray(self.pixels[rows]), self.labels[rows].copy())


@dataclass(frozen=True, eq=False)
class ImageData:
    """A set of images for training and one for the test at the end, with the names of the classes."""

    name: str  #: how results made with it are labeled
    training: Images
    test: Images
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        for part, images in (("training", self.training), ("test", self.test)):
            if not len(images):
                raise InputError(f"{self.name}: there are no {part} images")
            if int(images.labels.max()) >= len(self.classes):
                raise InputError(f"{self.name}: a {part} label is {int(images.labels.max())}, but there are {len(self.classes)} classes")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.training.pixels.shape[1:]
        return height, width, channels

    @cached_property
    def fingerprint(self) -> str:
        """A hash of every pixel and label: results of other images are other results."""
        digest = hashlib.sha256()
        for images in (self.training, self.test):
            digest.update(repr(images.pixels.shape).encode())
            digest.update(np.ascontiguousarray(images.pixels).data)
            digest.update(np.ascontiguousarray(images.labels).data)
        return digest.hexdigest()[:16]

    def split(self, validation: int, *, seed: int, training: int | None = None) -> tuple[Images, Images]:
        """Training and validation images: a random part of each class, the same for the same seed.

        Parameters
        ----------
        validation
            Images kept for validation, as evenly from the classes as their sizes allow (stratified).
        seed
            Same seed, same split.
        training
            Images to train on (default: all the others), as evenly from the classes; a larger number holds the smaller one's images.

        Returns
        -------
        (training, validation)
            In the order of the file.

        Raises InputError if there are not so many images.
        """
        total = len(self.training)
        if not 0 < validation < total:
            raise InputError(f"validation = {validation} must be from 1 to {total - 1}: {self.name} has {total} training images")
        rest = total - validation
        wanted = rest if training is None else training
        if not 0 < wanted <= rest:
            raise InputError(f"training images = {wanted} must be from 1 to {rest}: {total} less the {validation} of validation")
        key, labels = stream_key(seed, None), self.training.labels
        shuffled = [self._shuffled(np.flatnonzero(labels == k), k, key) for k in range(len(self.classes))]
        kept = even_shares([len(rows) for rows in shuffled], validation)
        left = [rows[count:] for rows, count in zip(shuffled, kept, strict=True)]
        used = even_shares([len(rows) for rows in left], wanted)
        chosen = [np.sort(np.concatenate([rows[:count] for rows, count in zip(parts, counts, strict=True)]))
                  for parts, counts in ((left, used), (shuffled, kept))]  # fmt: skip
        return self.training.take(chosen[0]), self.training.take(chosen[1])

    def _shuffled(self, rows: np.ndarray, label: int, key: tuple[np.uint32, np.uint32]) -> np.ndarray:
        return rows[kernels().permutation(len(rows), np.uint32(label), np.uint32(0), np.uint32(Purpose.SPLIT), *key)]


def even_shares(sizes: Sequence[int], total: int) -> list[int]:
    """How many to take of each class so that shares differ by one at most, except where a class is too small.

    >>> even_shares([10, 2, 10], 12), even_shares([5, 5, 5], 4)
    ([5, 2, 5], [2, 1, 1])
    """
    shares = [0] * len(sizes)
    left = total
    while left:
        room = [k for k, size in enumerate(sizes) if shares[k] < size]
        each, extra = divmod(left, len(room))
        for k in room if each else room[:extra]:
            more = min(max(each, 1), sizes[k] - shares[k])
            shares[k] += more
            left -= more
    return shares


def channel_statistics(images: Images) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (divisor n) of each channel, of pixels scaled to [0, 1]; float64, shape (channels,).

    They come from counts of the 256 values, so they are exact to the last rounding. A channel that is constant gets deviation 1.

    >>> channel_statistics(Images(np.array([0, 255], np.uint8).reshape(2, 1, 1, 1), np.zeros(2, np.uint8)))
    (array([0.5]), array([0.5]))
    """
    channels = images.pixels.shape[-1]
    flat = images.pixels.reshape(-1, channels)
    counts = kernels().byte_counts(flat).astype(np.float64)
    values = np.arange(256) / 255
    mean = counts @ values / len(flat)
    variance = np.array([float(counts[c] @ (values - mean[c]) ** 2) for c in range(channels)]) / len(flat)
    deviation = np.sqrt(variance)
    return mean, np.where(deviation > 0, deviation, 1.0)
