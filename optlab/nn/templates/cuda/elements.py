"""What is done to every element of a layer's result: its norm, shortcut and rectifier, forward and back, with sums by channel.

Arrays hold image, row, column, channel: ``at = row * K + channel`` where a row is a pixel. Blocks of the kernels with sums take a stretch
of the rows; a thread keeps to one channel, ``GROUPS`` threads apart in the rows, and a block's sums are added up in the order of its
threads. Pasted behind the maps of the norm.
"""

# ruff: noqa: F821
import numba
import numpy as np
from numba import cuda

from optlab.codegen.cuda import kernel, traced

# --- template ---
SPARE = own_BACK_SUMS * THREADS


def parameters_of(slopes, channel):
    """What the norm has learned, where its groups are rows."""
    return [load(slopes, j * K + channel, 1) for j in range(own_PARAMETERS)]


def reduced_of(facts, row):
    """The means of one row."""
    return [load(facts, row * own_REDUCTIONS + j, 1) for j in range(own_REDUCTIONS)]


def normalized(result, slopes, facts, row, channel):
    """The element between the norm's two maps."""
    number = load(result, row * K + channel, 1)
    if own_GROUPS == "rows":
        steep, level = own_row(*reduced_of(facts, row))
        return fma(steep, number, level)
    return fma(load(slopes, 2 * K + channel, 1), number, load(slopes, 3 * K + channel, 1))


def output(result, slopes, facts, row, channel):
    """The norm's value."""
    if own_GROUPS == "rows":
        return own_output(normalized(result, slopes, facts, row, channel), *parameters_of(slopes, channel))
    return fma(load(slopes, channel, 1), load(result, row * K + channel, 1), load(slopes, K + channel, 1))


def pixel_of(row):
    """Image, row and column in it."""
    image, place = divided(row, SIDE * SIDE)
    return (image, *divided(place, SIDE))


@traced
def place_of(i):
    """Row and channel of an element."""
    return divided(i, K)


@traced
def take_active(result, slopes, facts, skip, kept, row, channel):
    """Normalized and rectified."""
    store(kept, row * K + channel, relu(output(result, slopes, facts, row, channel)))


@traced
def take_same(result, slopes, facts, skip, kept, row, channel):
    """Normalized, the shortcut added, rectified."""
    store(kept, row * K + channel, relu(output(result, slopes, facts, row, channel) + load(skip, row * K + channel, 1)))


@traced
def take_down(result, slopes, facts, skip, kept, row, channel):
    """The same with a shortcut of twice the side and half the channels: every other pixel, the missing channels zero."""
    image, i, j = pixel_of(row)
    there = channel < K // 2
    place = ((image * (2 * SIDE) + i * 2) * (2 * SIDE) + j * 2) * (K // 2) + channel
    other = select(there, load(skip, select(there, place, channel * 0), 1), F(0.0))
    store(kept, row * K + channel, relu(output(result, slopes, facts, row, channel) + other))


@traced
def no_sums(array):
    return tuple(zeros(array, 1, F) for _ in range(own_BACK_SUMS))


@traced
def no_totals(array):
    return tuple(zeros(array, 1, np.float64) for _ in range(own_BACK_SUMS))


@traced
def added(totals, parts):
    """Sums in float64, the parts in working precision."""
    return tuple(a + wide(b) for a, b in zip(totals, parts, strict=True))


def collected(result, slopes, facts, row, channel, value, parts):
    """The sums with one element more: what the norm's backward pass needs."""
    xhat = normalized(result, slopes, facts, row, channel)
    more = parameters_of(slopes, channel) if own_GROUPS == "rows" else []
    return tuple(a + b for a, b in zip(parts, own_integrands(value, xhat, *more), strict=True))


def passed(result, slopes, facts, kept, gradient, row, channel, value, parts):
    """The gradient behind the rectifier, written, and the sums with it."""
    value = as_stored(gradient, relu_back(value, load(kept, row * K + channel, 1)))
    store(gradient, row * K + channel, value)
    return collected(result, slopes, facts, row, channel, value, parts)


@traced
def give_plain(given, upper, kept, result, slopes, facts, gradient, row, channel, parts):
    """A loss's own gradient: there is no rectifier."""
    return collected(result, slopes, facts, row, channel, load(gradient, row * K + channel, 1), parts)


@traced
def give_active(given, upper, kept, result, slopes, facts, gradient, row, channel, parts):
    return passed(result, slopes, facts, kept, gradient, row, channel, load(given, row * K + channel, 1), parts)


@traced
def give_same(given, upper, kept, result, slopes, facts, gradient, row, channel, parts):
    """With what the shortcut brings."""
    at = row * K + channel
    return passed(result, slopes, facts, kept, gradient, row, channel, load(given, at, 1) + load(upper, at, 1), parts)


@traced
def give_down(given, upper, kept, result, slopes, facts, gradient, row, channel, parts):
    """The same, of half the side and twice the channels."""
    image, i, j = pixel_of(row)
    (up, odd_row), (left, odd_column) = divided(i, 2), divided(j, 2)
    there = (odd_row + odd_column) == 0
    place = ((image * (SIDE // 2) + up) * (SIDE // 2) + left) * (2 * K) + channel
    other = select(there, load(upper, select(there, place, channel * 0), 1), F(0.0))
    return passed(result, slopes, facts, kept, gradient, row, channel, load(given, row * K + channel, 1) + other, parts)


@traced
def give_pooled(given, upper, kept, result, slopes, facts, gradient, row, channel, parts):
    """What a mean over the pixels passes on."""
    image, _ = divided(row, SIDE * SIDE)
    return passed(result, slopes, facts, kept, gradient, row, channel, load(given, image * K + channel, 1) * F(1 / (SIDE * SIDE)), parts)


@traced
def leave(spare, totals, place):
    """A thread's sums, where its block finds them."""
    for k, value in enumerate(totals):
        store(spare, place + k * THREADS, value)


def slope_of(gradient, result, slopes, facts, back, row, channel):
    """The gradient of the convolution's result from that of its norm."""
    value = load(gradient, row * K + channel, 1)
    if own_GROUPS == "rows":
        factors = [load(back, row * own_FACTORS + j, 1) for j in range(own_FACTORS)]
        return own_dx(value, normalized(result, slopes, facts, row, channel), *parameters_of(slopes, channel), *factors)
    steep, slope, shift = (load(back, j * K + channel, 1) for j in range(3))
    return fma(steep, value, fma(slope, load(result, row * K + channel, 1), shift))


@traced
def put_slope(gradient, result, slopes, facts, back, out, row, channel):
    store(out, row * K + channel, slope_of(gradient, result, slopes, facts, back, row, channel))


@kernel
def own_gradient(gradient, result, slopes, facts, back, out, elements):
    """The gradient of the convolution's result, element by element."""
    for i in range(cuda.grid(1), elements, cuda.gridsize(1)):
        row, channel = place_of(i)
        put_slope(gradient, result, slopes, facts, back, out, row, channel)
