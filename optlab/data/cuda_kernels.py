"""Batches written on a CUDA device, from data that stand there: the same rows, crops and mirror images as :mod:`optlab.data.image_kernels`.

Step ``step[0]`` of those under way is batch ``place[0] + step[0]`` of epoch ``place[1]`` (0: as they are), so one launch serves all steps.
"""

from __future__ import annotations

from numba import cuda

from optlab.codegen.cuda import kernel, traced
from optlab.ensemble.philox import rounds

_LOW = 0xFFFFFFFF


@traced
def moved(row, epoch, pad, purpose, k0, k1):  # type: ignore[no-untyped-def]
    """Down, right and whether to mirror, as ``moves`` of the host has it."""
    words = rounds(row, epoch, 0, purpose, k0, k1)
    down = (((words[0] & _LOW) * (pad * 2 + 1)) >> 32) - pad
    right = (((words[1] & _LOW) * (pad * 2 + 1)) >> 32) - pad
    return down, right, (words[2] & _LOW) >> 31


@kernel
def write_images(  # type: ignore[no-untyped-def]
    pixels, labels, order, table, step, place, out, out_labels, batch, side, channels, pad, purpose, k0, k1
):
    """A thread to a pixel: the byte that comes to it, normalized, or 0 (the mean color) beyond the border."""
    size = side * side
    for i in range(cuda.grid(1), batch * size, cuda.gridsize(1)):
        image = i // size
        y = (i - image * size) // side
        target = i - image * size - y * side
        row = order[(place[0] + step[0]) * batch + image]
        if i == image * size:
            out_labels[image] = labels[row]
        down, right, mirrored = 0, 0, 0
        if place[1] > 0:
            down, right, mirrored = moved(row, place[1], pad, purpose, k0, k1)
        x = side - 1 - target if mirrored else target
        source, across = y + down, x + right
        inside = 0 <= source < side and 0 <= across < side
        for c in range(channels):
            if inside:
                out[i * channels + c] = table[c * 256 + int(pixels[((row * side + source) * side + across) * channels + c])]
            else:
                out[i * channels + c] = 0


@kernel
def write_rows(rows, targets, order, step, place, out, out_targets, batch, width):  # type: ignore[no-untyped-def]
    """The rows of a table that are a batch, and their targets."""
    start = (place[0] + step[0]) * batch
    for i in range(cuda.grid(1), batch * width, cuda.gridsize(1)):
        image = i // width
        row = order[start + image]
        out[i] = rows[row * width + i - image * width]
        if i == image * width:
            out_targets[image] = targets[row]
