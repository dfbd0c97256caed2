"""A convolution of 3 x 3 in bfloat16 on tensor cores (NAME is ``forward``), or what it passes back to its input (``back_data``).

A block makes IMAGES images' (or one's) ROWS rows of the output in all channels, a warp STRIPS stretches of 16 of its pixels, in the
order in which they stand in memory. For each tap the staged input, moved by it, is the left factor (pixels by channels that are read),
that tap's filter the right one (channels that are read by channels that are made); sums stay in float32 registers. CHUNK channels are
staged at a time, channels side by side, so that ``ldmatrix`` reads rows as they stand. ``back_data`` reads the filters by columns:
turned round, transposed.
"""

# ruff: noqa: F821
import numba
from numba import cuda

from optlab.codegen.cuda import kernel, traced
from optlab.codegen.cuda_bf16 import collective


# --- template ---
@traced
def NAME_stage_input(tile, given, i, image, top, begin, images):
    """Number i of the tile (NAME_SIDE_BY_SIDE channels of it): ``top`` is the row of the tile's first one in the (spread) input."""
    pixel, part = divided(i, NAME_CHUNK // NAME_SIDE_BY_SIDE)
    _, _, _, inside, at = NAME_pixel(pixel, image, top, images)
    channel = begin + part * NAME_SIDE_BY_SIDE
    if NAME_DEPTH % NAME_CHUNK:
        inside = inside & (channel < NAME_DEPTH)
    copy_where(inside, tile, pixel * NAME_PIXEL + part * NAME_SIDE_BY_SIDE, given, select(inside, at + channel, i * 0), NAME_SIDE_BY_SIDE)


@traced
def NAME_stage_filters(filters, weights, i, place, begin):
    """Eight numbers of the filters: of tap, channel that is read, channels that are made (turned: the other way round)."""
    if NAME_TURNED:
        row, part = divided(i, NAME_CHUNK // 8)
        tap, made = divided(row, NAME_ACROSS)
        read = begin + part * 8
        inside = (made < NAME_MADE) & (read < NAME_DEPTH)
        at = ((8 - tap) * NAME_MADE + made) * NAME_DEPTH + read
    else:
        row, part = divided(i, NAME_ACROSS // 8)
        tap, channel = divided(row, NAME_CHUNK)
        read, made = begin + channel, part * 8
        inside = (made < NAME_MADE) & (read < NAME_DEPTH)
        at = (tap * NAME_DEPTH + read) * NAME_MADE + made
    copy_where(inside, filters, row * NAME_ROW + part * 8, weights, place + select(inside, at, i * 0), 8)


@traced
def NAME_number_of(thread):
    """The thread, with places that are found again for every stage: kept, they would take more registers than the sums."""
    return anew(thread)


@traced
def NAME_zeros(array):
    return tuple(zeros(array, 1, F) for _ in range(NAME_STRIPS * NAME_ACROSS // 2))


@traced
def NAME_left(thread):
    """Where a lane's rows of the left factor begin, of each strip."""
    warp, lane = divided(thread, 32)
    half, row = divided(lane, 16)
    found = []
    for strip in range(NAME_STRIPS):
        pixel = (warp * NAME_STRIPS + strip) * 16 + row
        pixel = select(pixel < NAME_PIXELS, pixel, pixel * 0)
        pixel_row, x = divided(pixel, NAME_OUT)
        which, y = divided(pixel_row, NAME_ROWS)
        at = which * (NAME_TILE_ROWS * NAME_PITCH) + NAME_STRIDE * (y * NAME_PITCH + x)
        found.append(at * NAME_PIXEL + half * 8)
    return tuple(found)


@traced
def NAME_right(thread):
    """Where a lane's rows of the right factor begin: rows are channels that are read (turned: that are made)."""
    _, lane = divided(thread, 32)
    half, row = divided(lane, 16)
    if NAME_TURNED:
        quarter, row = divided(row, 8)
        return (half * 8 + row) * NAME_ROW + quarter * 8
    return row * NAME_ROW + half * 8


@collective
def NAME_multiplied(tile, filters, left, right, sums):
    """The sums with the products of the staged channels: taps in their order, then channels by sixteens."""
    sums = list(sums)
    for tap in range(9):
        row, column = tap // 3, tap % 3
        for deep in range(0, NAME_CHUNK, 16):
            a = [matrices(tile, left[k], (row * NAME_PITCH + column) * NAME_PIXEL + deep, False) for k in range(NAME_STRIPS)]
            for pair in range(NAME_ACROSS // 16):
                if NAME_TURNED:
                    b = matrices(filters, right, (tap * NAME_ACROSS + pair * 16) * NAME_ROW + deep, False)
                else:
                    b = matrices(filters, right, (tap * NAME_CHUNK + deep) * NAME_ROW + pair * 16, True)
                for k in range(NAME_STRIPS):
                    for half in range(2):
                        at = (k * (NAME_ACROSS // 8) + 2 * pair + half) * 4
                        sums[at : at + 4] = mma(a[k], b[2 * half : 2 * half + 2], sums[at : at + 4])
    return tuple(sums)


@traced
def NAME_written(out, first, end, thread, sums):
    """A lane's sums: two neighbors of each of two rows of every product; ``first`` is the block's first pixel."""
    warp, lane = divided(thread, 32)
    row, pair = divided(lane, 4)
    for strip in range(NAME_STRIPS):
        for lower in range(2):
            pixel = (warp * NAME_STRIPS + strip) * 16 + lower * 8 + row
            there = (pixel < NAME_PIXELS) & (first + pixel < end)
            begin = strip * (NAME_ACROSS // 2) + 2 * lower
            own = [(sums[begin + 4 * block], sums[begin + 4 * block + 1]) for block in range(NAME_MADE // 8)]
            store_pairs_where(there, out, (first + pixel) * NAME_MADE + pair * 2, 8, own)


@traced
def NAME_block_place(block):
    """The block's first image and row."""
    images, part = divided(block, NAME_OUT // NAME_ROWS)
    return images * NAME_IMAGES, part * NAME_ROWS


@kernel
def NAME(given, weights, place, out, images):
    tile = cuda.shared.array(NAME_STAGE, numba.uint16, alignment=16)
    filters = cuda.shared.array(NAME_FILTERS, numba.uint16, alignment=16)
    thread = cuda.threadIdx.x
    image, top = NAME_block_place(cuda.blockIdx.x)
    left = NAME_left(thread)
    right = NAME_right(thread)
    sums = NAME_zeros(out)
    for begin in range(0, NAME_DEEP, NAME_CHUNK):
        first = NAME_number_of(thread)
        for i in range(first, NAME_IMAGES * NAME_TILE_ROWS * NAME_PITCH * NAME_CHUNK // NAME_SIDE_BY_SIDE, NAME_THREADS):
            NAME_stage_input(tile, given, i, image, NAME_STRIDE * top - 1, begin, images)
        for i in range(first, 9 * NAME_CHUNK * NAME_ACROSS // 8, NAME_THREADS):
            NAME_stage_filters(filters, weights, i, place, begin)
        cuda.syncthreads()
        sums = NAME_multiplied(tile, filters, left, right, sums)
        cuda.syncthreads()
    NAME_written(out, (image * NAME_OUT + top) * NAME_OUT, images * (NAME_OUT * NAME_OUT), thread, sums)
