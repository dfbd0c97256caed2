"""A convolution of 3 x 3 (NAME is ``forward``), or what it passes back to its input (``back_data``: filters turned round, transposed).

A block makes IMAGES images' (or one's) ROWS rows of the output, a thread STRIP pixels of a row in four channels, in registers. What the
rows read, with its border of zeros, and the filters stand in shared memory, CHUNK channels at a time: each number is read from global
memory once a block. ``tile`` holds channel, image, row, column. The input of ``back_data`` of a stride of two is spread: zeros between.
"""

# ruff: noqa: F821
import numba
from numba import cuda

from optlab.codegen.cuda import kernel, traced

# --- template ---
NAME_STAGE, NAME_FILTERS = NAME_CHUNK * NAME_PLANE, 9 * NAME_CHUNK * NAME_MADE


@traced
def NAME_stage_input(tile, given, i, image, top, begin, images):
    """Number i of the tile (NAME_SIDE_BY_SIDE channels of it): ``top`` is the row of the tile's first one in the (spread) input."""
    pixel, quad = divided(i, NAME_CHUNK // NAME_SIDE_BY_SIDE)
    which, row, column, inside, at = NAME_pixel(pixel, image, top, images)
    at = at + begin + quad * NAME_SIDE_BY_SIDE
    values = load_side_by_side(given, select(inside, at, i * 0), NAME_SIDE_BY_SIDE)
    place = quad * (NAME_SIDE_BY_SIDE * NAME_PLANE) + which * (NAME_TILE_ROWS * NAME_PITCH) + row * NAME_PITCH + column
    for k, value in enumerate(values):
        store(tile, place + k * NAME_PLANE, select(inside, value, F(0.0)))


@traced
def NAME_stage_filters(filters, weights, i, place, begin):
    """Number i of the filters: tap, channel that is read, channel that is made."""
    if NAME_TURNED:
        rest, c = divided(i, NAME_CHUNK)
        tap, n = divided(rest, NAME_MADE)
        value = load(weights, place + ((8 - tap) * NAME_MADE + n) * NAME_DEPTH + begin + c, 1)
        store(filters, (tap * NAME_CHUNK + c) * NAME_MADE + n, value)
    else:
        tap, rest = divided(i, NAME_CHUNK * NAME_MADE // 4)
        values = load_side_by_side(weights, place + (tap * NAME_DEPTH + begin) * NAME_MADE + rest * 4, 4)
        store_side_by_side(filters, i * 4, values)


@traced
def NAME_zeros(array):
    return tuple(zeros(array, 1, F) for _ in range(NAME_STRIP * 4))


@traced
def NAME_multiplied(tile, filters, at, made, sums):
    """The sums with the products of the staged channels."""

    def one(c, *sums):
        sums = list(sums)
        for r in range(3):
            numbers = [load(tile, at + c * NAME_PLANE + (r * NAME_PITCH + j), 1) for j in range(NAME_STRIDE * (NAME_STRIP - 1) + 3)]
            for s in range(3):
                weight = load_side_by_side(filters, c * NAME_MADE + made + (r * 3 + s) * (NAME_CHUNK * NAME_MADE), 4)
                for j in range(NAME_STRIP):
                    for q in range(4):
                        sums[j * 4 + q] = multiply_add(numbers[NAME_STRIDE * j + s], weight[q], sums[j * 4 + q])
        return sums

    return tuple(repeat(tile, NAME_CHUNK, one, sums))


@traced
def NAME_written(out, at, sums):
    for j in range(NAME_STRIP):
        store_side_by_side(out, at + j * NAME_MADE, sums[4 * j : 4 * j + 4])


@traced
def NAME_own_place(thread):
    """This thread's strip of the block (image, row, first column) and its channels."""
    strip, made = divided(thread, NAME_MADE // 4)
    pixel_row, across = divided(strip, NAME_OUT // NAME_STRIP)
    which, row = divided(pixel_row, NAME_ROWS)
    return which, row, across * NAME_STRIP, made * 4


@traced
def NAME_block_place(block):
    """The block's first image and row."""
    images, part = divided(block, NAME_OUT // NAME_ROWS)
    return images * NAME_IMAGES, part * NAME_ROWS


@kernel
def NAME(given, weights, place, out, images):
    tile = cuda.shared.array(NAME_STAGE, REAL, alignment=16)
    filters = cuda.shared.array(NAME_FILTERS, REAL, alignment=16)
    thread = cuda.threadIdx.x
    image, top = NAME_block_place(cuda.blockIdx.x)
    which, row, column, made = NAME_own_place(thread)
    at = which * (NAME_TILE_ROWS * NAME_PITCH) + NAME_STRIDE * (row * NAME_PITCH + column)
    sums = NAME_zeros(out)
    for begin in range(0, NAME_DEPTH, NAME_CHUNK):
        for i in range(thread, NAME_STAGED, NAME_THREADS):
            NAME_stage_input(tile, given, i, image, NAME_STRIDE * top - 1, begin, images)
        for i in range(thread, NAME_STAGED_FILTERS, NAME_THREADS):
            NAME_stage_filters(filters, weights, i, place, begin)
        cuda.syncthreads()
        sums = NAME_multiplied(tile, filters, at, made, sums)
        cuda.syncthreads()
    if image + which < images:
        NAME_written(out, (((image + which) * NAME_OUT + top + row) * NAME_OUT + column) * NAME_MADE + made, sums)
