"""Compiled loops over images: shuffling, and writing a batch of normalized, cropped, flipped images from bytes."""

from __future__ import annotations

import numpy as np
from numba import int64, njit, uint32

from optlab.ensemble.philox import bounded, philox


@njit(nogil=True, cache=True)
def permutation(n, trajectory, step, purpose, k0, k1):  # type: ignore[no-untyped-def]
    """A random order of 0 ... n - 1 (Fisher & Yates): word j of the stream chooses what comes to place n - 1 - j."""
    order = np.arange(n)
    words = (uint32(0), uint32(0), uint32(0), uint32(0))
    for j in range(n - 1):
        if j & 3 == 0:
            words = philox(trajectory, step, uint32(j >> 2), purpose, k0, k1)
        place = n - 1 - j
        other = bounded(words[j & 3], place + 1)
        order[place], order[other] = order[other], order[place]
    return order


@njit(nogil=True, cache=True)
def byte_counts(flat):  # type: ignore[no-untyped-def]
    """How often each of the 256 bytes stands in each column, int64 (columns, 256)."""
    counts = np.zeros((flat.shape[1], 256), np.int64)
    for row in range(flat.shape[0]):
        for column in range(flat.shape[1]):
            counts[column, flat[row, column]] += 1
    return counts


@njit(nogil=True, cache=True)
def uniforms(rows, columns, purpose, k0, k1):  # type: ignore[no-untyped-def]
    """Numbers uniform on (0, 1), float64 (rows, columns): row r is trajectory r, four columns to a block."""
    out = np.empty((rows, columns))
    words = (uint32(0), uint32(0), uint32(0), uint32(0))
    for row in range(rows):
        for column in range(columns):
            if column & 3 == 0:
                words = philox(uint32(row), uint32(0), uint32(column >> 2), purpose, k0, k1)
            out[row, column] = (words[column & 3] + 0.5) * 2.0**-32
    return out


@njit(nogil=True, cache=True)
def moves(image, epoch, pad, purpose, k0, k1):  # type: ignore[no-untyped-def]
    """Down, right (each from -pad to pad) and whether to mirror: what happens to one image in one epoch."""
    words = philox(uint32(image), uint32(epoch), uint32(0), purpose, k0, k1)
    return bounded(words[0], 2 * pad + 1) - pad, bounded(words[1], 2 * pad + 1) - pad, int64(words[2] >> 31)


@njit(nogil=True, cache=True)
def write_batch(pixels, rows, table, fill, out, epoch, pad, mirror, purpose, k0, k1):  # type: ignore[no-untyped-def]
    """Write images ``rows`` into ``out`` (n, height, width, channels): shifted within a border of ``fill``, mirrored, normalized.

    ``table[c, v]`` is the number that stands for byte v of channel c. Epoch 0 leaves images as they are.
    """
    height, width, channels = pixels.shape[1], pixels.shape[2], pixels.shape[3]
    for place in range(rows.shape[0]):
        row = rows[place]
        down, right, mirrored = 0, 0, 0
        if epoch > 0:
            down, right, mirrored = moves(row, epoch, pad, purpose, k0, k1)
            if not mirror:
                mirrored = 0
        first, last = max(0, -right), min(width, width - right)
        for y in range(height):
            source = y + down
            inside = 0 <= source < height
            for x in range(width):
                target = width - 1 - x if mirrored else x
                if inside and first <= x < last:
                    for c in range(channels):
                        out[place, y, target, c] = table[c, pixels[row, source, x + right, c]]
                else:
                    for c in range(channels):
                        out[place, y, target, c] = fill
