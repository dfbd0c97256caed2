"""The gradient of a convolution's filters in bfloat16 on tensor cores: each block adds up its share of the batch, in its own part.

For each tap the staged input, moved by it, is the left factor (channels by pixels), the gradient of the result the right one (pixels by
channels); both stand pixel by pixel and are read by columns. A warp keeps nine taps of 16 input and 16 output channels in float32
registers; GROUPS warps share those and take turns at 16 pixels of the staged rows. A block works on 16 input channels.
"""

# ruff: noqa: F821
import numba
from numba import cuda

from optlab.codegen.cuda import kernel, traced
from optlab.codegen.cuda_bf16 import collective


# --- template ---
@traced
def stage_rows(tile, given, i, image, top, begin):
    """Number i (SIDE_BY_SIDE channels) of the input's rows, with their border of zeros."""
    pixel, part = divided(i, GRAIN // SIDE_BY_SIDE)
    row, column = divided(pixel, PITCH)
    y, x = row + top, column - 1
    channel = begin + part * SIDE_BY_SIDE
    inside = (y >= 0) & (y < H) & (x >= 0) & (x < H) & (channel < C)
    at = ((image * H + y) * H + x) * C + channel
    copy_where(inside, tile, pixel * PIXEL + part * SIDE_BY_SIDE, given, select(inside, at, i * 0), SIDE_BY_SIDE)


@traced
def stage_gradient(slopes, gradient, i, start):
    """Eight channels of a pixel of the gradient; zeros where there is none."""
    pixel, part = divided(i, ACROSS // 8)
    inside = (pixel < ROWS * OUT) & (part * 8 < K)
    copy_where(inside, slopes, pixel * ROW + part * 8, gradient, start + select(inside, pixel * K + part * 8, i * 0), 8)


@traced
def number_of(thread):
    """The thread, with places that are found again for every tile: kept, they would take as many registers as the sums."""
    return anew(thread)


@traced
def no_products(array):
    return tuple(zeros(array, 1, F) for _ in range(72))


@traced
def places_of(thread):
    """Group, stretch of output channels and lane of a thread."""
    warp, lane = divided(thread, 32)
    group, column = divided(warp, COLUMNS)
    return group, column, lane


@traced
def left_at(step, lane):
    """Where a lane's rows of the left factor begin: a row is a pixel."""
    half, rest = divided(lane, 16)
    quarter, row = divided(rest, 8)
    pixel = step * 16 + half * 8 + row
    y, x = divided(select(pixel < ROWS * OUT, pixel, pixel * 0), OUT)
    return STRIDE * (y * PITCH + x) * PIXEL + quarter * 8


@traced
def right_at(step, column, lane):
    half, row = divided(lane, 16)
    return (step * 16 + row) * ROW + column * 16 + half * 8


@collective
def correlated(tile, slopes, left, right, sums):
    """The sums with the products of 16 pixels."""
    sums = list(sums)
    b = matrices(slopes, right, 0, True)
    for tap in range(9):
        a = matrices(tile, left, (tap // 3 * PITCH + tap % 3) * PIXEL, True)
        for half in range(2):
            at = (tap * 2 + half) * 4
            sums[at : at + 4] = mma(a, b[2 * half : 2 * half + 2], sums[at : at + 4])
    return tuple(sums)


@traced
def tile_place(t):
    """Image and first row of a tile."""
    image, part = divided(t, OUT // ROWS)
    return image, part * ROWS


@traced
def exchange(spare, at, sums):
    for k, value in enumerate(sums):
        store(spare, at + k * (32 * COLUMNS), value)


@traced
def exchanged(spare, at, sums):
    return tuple(value + load(spare, at + k * (32 * COLUMNS), 1) for k, value in enumerate(sums))


@traced
def leave_products(partial, start, begin, column, lane, sums):
    """A lane's sums: rows are input channels, columns output channels."""
    row, pair = divided(lane, 4)
    for half in range(2):
        for lower in range(2):
            channel, made = begin + lower * 8 + row, column * 16 + half * 8 + pair * 2
            own = [(sums[at], sums[at + 1]) for at in range(half * 4 + 2 * lower, 72, 8)]
            store_pairs_where((channel < C) & (made < K), partial, start + channel * K + made, C * K, own)


@kernel
def back_weights(given, gradient, partial, place, size, images):
    tile = cuda.shared.array(STAGE, numba.uint16, alignment=16)
    slopes = cuda.shared.array(SLOPES, numba.uint16, alignment=16)
    spare = cuda.shared.array(SPARE, REAL, alignment=16)
    thread = cuda.threadIdx.x
    begin = cuda.blockIdx.y * GRAIN
    group, column, lane = places_of(thread)
    sums = no_products(partial)
    for t in range(cuda.blockIdx.x, images * (OUT // ROWS), cuda.gridDim.x):
        image, top = tile_place(t)
        first = number_of(thread)
        for i in range(first, TILE_ROWS * PITCH * GRAIN // SIDE_BY_SIDE, THREADS):
            stage_rows(tile, given, i, image, STRIDE * top - 1, begin)
        for i in range(first, STEPS * 16 * ACROSS // 8, THREADS):
            stage_gradient(slopes, gradient, i, (image * OUT + top) * OUT * K)
        cuda.syncthreads()
        for step in range(group, STEPS, GROUPS):
            left = left_at(step, lane)
            right = right_at(step, column, lane)
            sums = correlated(tile, slopes, left, right, sums)
        cuda.syncthreads()
    for other in range(1, GROUPS):
        if group == other:
            exchange(spare, column * 32 + lane, sums)
        cuda.syncthreads()
        if group == 0:
            sums = exchanged(spare, column * 32 + lane, sums)
        cuda.syncthreads()
    if group == 0:
        leave_products(partial, cuda.blockIdx.x * size + place, begin, column, lane, sums)
