"""A small set of images made by code: ten textures that no linear classifier tells apart, and a small convolutional network does.

A class is a pattern (level, upright or slanted stripes, checks, rings) at a coarse or a fine wavelength. Where the
pattern starts, which way it slants, its two colors and its noise are drawn anew for every image, so that the mean
image of each class is flat; mirror images and crops stay in their class.
"""

from __future__ import annotations

import numpy as np

from optlab.data.images import ImageData, Images
from optlab.data.kernels import kernels
from optlab.ensemble.philox import stream_key
from optlab.ensemble.purposes import Purpose
from optlab.errors import InputError

PATTERNS = ("level", "upright", "slanted", "checks", "rings")
WAVELENGTHS = {"coarse": 9.0, "fine": 4.0}  #: pixels
CLASSES = tuple(f"{length} {pattern}" for length in WAVELENGTHS for pattern in PATTERNS)
CONTRAST = (0.12, 0.3)  #: the least and the largest of a channel, either way; of 1
NOISE = 0.15  #: standard deviation of a pixel's noise; of 1


def synthetic(training: int = 1000, test: int = 500, *, size: int = 32, seed: int = 0) -> ImageData:
    """Ten classes of textures, ``size`` by ``size`` pixels in three channels; labels take turns.

    >>> data = synthetic(20, 10, size=8)
    >>> data.shape, data.training.labels[:12].tolist()
    ((8, 8, 3), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1])
    """
    for what, value, low in (("training", training, 10), ("test", test, 10), ("size", size, 4)):
        if not isinstance(value, int) or value < low:
            raise InputError(f"synthetic images: {what} = {value!r} must be a whole number of at least {low}")
    images = _draw(training + test, size, seed)
    parts = [Images(images.pixels[rows], images.labels[rows]) for rows in (slice(0, training), slice(training, None))]
    return ImageData(f"synthetic textures ({size} x {size})", parts[0], parts[1], CLASSES)


def _draw(count: int, size: int, seed: int) -> Images:
    labels = (np.arange(count) % len(CLASSES)).astype(np.uint8)
    wanted = 11 + 3 * size * size
    u = kernels().uniforms(count, wanted, np.uint32(Purpose.DATA), *stream_key(seed, None))
    pattern = labels % len(PATTERNS)
    length = np.array(list(WAVELENGTHS.values()))[labels // len(PATTERNS)]
    y, x = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    starts = 2 * np.pi * u[:, :2, None, None]
    wave = 2 * np.pi / length[:, None, None]
    slant = np.where(u[:, 2] < 0.5, -1, 1)[:, None, None]
    center = size * u[:, 3:5, None, None]
    along = {
        "level": np.sin(wave * y + starts[:, 0]),
        "upright": np.sin(wave * x + starts[:, 0]),
        "slanted": np.sin(wave * (x + slant * y) / np.sqrt(2) + starts[:, 0]),
        "checks": np.sign(np.sin(wave * x + starts[:, 0]) * np.sin(wave * y + starts[:, 1])),
        "rings": np.sin(wave * np.hypot(y - center[:, 0], x - center[:, 1]) + starts[:, 0]),
    }
    shapes = np.stack([along[name] for name in PATTERNS])[pattern, np.arange(count)]
    signed = 2 * u[:, 5:8] - 1
    contrast = np.sign(signed) * (CONTRAST[0] + (CONTRAST[1] - CONTRAST[0]) * np.abs(signed))
    middle = 0.3 + 0.4 * u[:, 8:11]
    noise = NOISE * np.sqrt(12) * (u[:, 11:] - 0.5).reshape(count, size, size, 3)
    values = middle[:, None, None] + contrast[:, None, None] * shapes[..., None] + noise
    return Images(np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8), labels)
