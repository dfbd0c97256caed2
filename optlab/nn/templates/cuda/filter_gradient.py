"""The gradient of a convolution's filters: each block adds up the pixels of its share of the batch and leaves them in its own part.

A thread keeps nine taps of one input channel and four output channels in registers; GROUPS threads share those and take turns at the
strips of the staged rows. A block works on GRAIN input channels.
"""

# ruff: noqa: F821
import numba
from numba import cuda

from optlab.codegen.cuda import kernel, traced

# --- template ---
STAGE, SLOPES = GRAIN * PLANE, ROWS * OUT * K


@traced
def stage_rows(tile, given, i, image, top, begin):
    """Number i (SIDE_BY_SIDE channels) of the input's rows, with their border of zeros."""
    pixel, quad = divided(i, GRAIN // SIDE_BY_SIDE)
    row, column = divided(pixel, PITCH)
    y, x = row + top, column - 1
    inside = (y >= 0) & (y < H) & (x >= 0) & (x < H)
    at = ((image * H + y) * H + x) * C + begin + quad * SIDE_BY_SIDE
    values = load_side_by_side(given, select(inside, at, i * 0), SIDE_BY_SIDE)
    for k, value in enumerate(values):
        store(tile, (quad * SIDE_BY_SIDE + k) * PLANE + row * PITCH + column, select(inside, value, F(0.0)))


@traced
def stage_gradient(slopes, gradient, i, start):
    store_side_by_side(slopes, i * 4, load_side_by_side(gradient, start + i * 4, 4))


@traced
def no_products(array):
    return tuple(zeros(array, 1, F) for _ in range(36))


@traced
def correlated(tile, slopes, at, slope_at, sums):
    """The sums with the products of one strip."""
    sums = list(sums)
    slope = [load_side_by_side(slopes, slope_at + j * K, 4) for j in range(STRIP)]
    for r in range(3):
        numbers = [load(tile, at + (r * PITCH + j), 1) for j in range(STRIDE * (STRIP - 1) + 3)]
        for s in range(3):
            for j in range(STRIP):
                for q in range(4):
                    k = (r * 3 + s) * 4 + q
                    sums[k] = multiply_add(numbers[STRIDE * j + s], slope[j][q], sums[k])
    return tuple(sums)


@traced
def places_of(thread):
    """Output channels, input channel and group of a thread."""
    rest, made = divided(thread, K // 4)
    group, channel = divided(rest, GRAIN)
    return group, channel, made * 4


@traced
def tile_place(t):
    """Image and first row of a tile."""
    image, part = divided(t, OUT // ROWS)
    return image, part * ROWS


@traced
def strip_place(strip):
    return divided(strip, OUT // STRIP)


@traced
def exchange(spare, thread, sums):
    for k, value in enumerate(sums):
        store(spare, thread + k * (GRAIN * K // 4), value)


@traced
def exchanged(spare, thread, sums):
    return tuple(value + load(spare, thread + k * (GRAIN * K // 4), 1) for k, value in enumerate(sums))


@traced
def leave_products(partial, at, sums):
    for tap in range(9):
        store_side_by_side(partial, at + tap * (C * K), sums[4 * tap : 4 * tap + 4])


@kernel
def back_weights(given, gradient, partial, place, size, images):
    tile = cuda.shared.array(STAGE, REAL, alignment=16)
    slopes = cuda.shared.array(SLOPES, REAL, alignment=16)
    spare = cuda.shared.array(SPARE, REAL, alignment=16)
    thread = cuda.threadIdx.x
    begin = cuda.blockIdx.y * GRAIN
    group, channel, made = places_of(thread)
    sums = no_products(partial)
    for t in range(cuda.blockIdx.x, images * (OUT // ROWS), cuda.gridDim.x):
        image, top = tile_place(t)
        for i in range(thread, TILE_ROWS * PITCH * GRAIN // SIDE_BY_SIDE, THREADS):
            stage_rows(tile, given, i, image, STRIDE * top - 1, begin)
        for i in range(thread, ROWS * OUT * K // 4, THREADS):
            stage_gradient(slopes, gradient, i, (image * OUT + top) * OUT * K)
        cuda.syncthreads()
        for strip in range(group, ROWS * OUT // STRIP, GROUPS):
            row, across = strip_place(strip)
            at = channel * PLANE + STRIDE * (row * PITCH + across * STRIP)
            sums = correlated(tile, slopes, at, (row * OUT + across * STRIP) * K + made, sums)
        cuda.syncthreads()
    for other in range(1, GROUPS):
        if group == other:
            exchange(spare, thread - group * (GRAIN * K // 4), sums)
        cuda.syncthreads()
        if group == 0:
            sums = exchanged(spare, thread, sums)
        cuda.syncthreads()
    if group == 0:
        leave_products(partial, cuda.blockIdx.x * size + place + (begin + channel) * K + made, sums)
