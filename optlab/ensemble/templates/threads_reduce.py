"""From losses of a chunk of trajectories to moments and counts on a device, behind ``moments.py``: what ``reduce.py`` does on the CPU.

Moments follow the CPU's tree over blocks of 64, whatever the grid: a thread has a block, then as many nodes of the tree as ``FAN``. Counts
are whole numbers, so their order does not matter.
"""

# ruff: noqa: F821
import numba
import numpy as np
from numba import cuda

from optlab.codegen.cuda import kernel, traced
from optlab.codegen.cuda_lanes import divided

# --- template ---
FAN = 16  # nodes of the tree that one thread joins in one launch
NAN, INFINITE = 0x7FFFFFFFFFFFFFFF, 0x7FF0000000000000


@traced
def quotient_of(i, by):
    return divided(i, by)[0]


def halved(array, combine):
    """One number of ``LANES``, halves first, as :func:`optlab.codegen.lanes.fold` does it."""
    values = [load(array, lane, 1) for lane in range(LANES)]
    while len(values) > 1:
        half = len(values) // 2
        values = [combine(a, b) for a, b in zip(values[:half], values[half:], strict=True)]
    return values[0]


@traced
def put_sum(sums, lane, values, at):
    store(sums, lane, pairwise(column(values, at + lane, 1), add))


@traced
def mean_of(sums):
    return halved(sums, add) * (1.0 / BLOCK)


@traced
def put_lane(squares, low, high, broken, lane, values, at, mean):
    block = column(values, at + lane, 1)
    store(squares, lane, squares_of(block, mean))
    store(low, lane, pairwise(block, smaller))
    store(high, lane, pairwise(block, larger))
    store(broken, lane, pairwise([not_finite(value, 1) for value in block], add))


@traced
def put_moments(moments, at, mean, squares, low, high, broken):
    for k, value in enumerate((mean, halved(squares, add), halved(low, smaller), halved(high, larger), halved(broken, add))):
        store(moments, at + 1 + k, value)


@kernel
def clear(array):
    i = cuda.grid(1)
    if i < array.shape[0]:
        array[i] = 0


@kernel
def reduce_blocks(values, rows, stride, count, moments):
    """The moments of each 64 of each row's first ``count`` values."""
    i = cuda.grid(1)
    blocks = (count + BLOCK - 1) // BLOCK
    if i >= rows * blocks:
        return
    row = quotient_of(i, blocks)
    block = i - row * blocks
    at = row * stride + block * BLOCK
    if count - block * BLOCK < BLOCK:
        part_block(values, at, count - block * BLOCK, moments, i * MOMENTS)
        return
    sums = cuda.local.array(LANES, numba.float64)
    low = cuda.local.array(LANES, numba.float64)
    high = cuda.local.array(LANES, numba.float64)
    broken = cuda.local.array(LANES, numba.float64)
    for lane in range(LANES):
        put_sum(sums, lane, values, at)
    mean = mean_of(sums)
    for lane in range(LANES):
        put_lane(sums, low, high, broken, lane, values, at, mean)
    put_moments(moments, i * MOMENTS, mean, sums, low, high, broken)
    moments[i * MOMENTS] = BLOCK


@kernel
def join_blocks(moments, rows, blocks, span):
    """Join each ``FAN`` nodes of a row, ``span`` blocks apart, into the first of them."""
    i = cuda.grid(1)
    reach = FAN * span
    groups = (blocks + reach - 1) // reach
    if i >= rows * groups:
        return
    row = quotient_of(i, groups)
    begin = (i - row * groups) * reach
    end = min(begin + reach, blocks)
    apart = span
    while apart < reach:
        for node in range(begin, end - apart, 2 * apart):
            join(moments, (row * blocks + node) * MOMENTS, moments, (row * blocks + node + apart) * MOMENTS)
        apart *= 2


@kernel
def gather(values, rows, stride, count, out):
    """The first ``count`` numbers of each row, the rows one behind the other."""
    i = cuda.grid(1)
    if i < rows * count:
        row = quotient_of(i, count)
        out[i] = values[row * stride + i - row * count]


@traced
def octave_of(losses, at):
    """Sign and exponent of a loss; NaN stands with infinity."""
    word = bits(load(losses, at, 1))
    return signed(select((word & NAN) > INFINITE, spread(INFINITE, word), word) >> 52)


@traced
def cell_of(losses, at):
    """The following six bits."""
    word = bits(load(losses, at, 1))
    return signed((select((word & NAN) > INFINITE, spread(INFINITE, word), word) >> 46) & 63)


@kernel
def mark_octaves(losses, rows, stride, count, pages):
    """Note which octaves occur in which row and have no page yet; all who note one write the same."""
    i = cuda.grid(1)
    if i >= rows * count:
        return
    row = quotient_of(i, count)
    place = octave_of(losses, row * stride + i - row * count) * rows + row
    if pages[place] == 0:
        pages[place] = -1


@kernel
def number_pages(pages, used):
    """Give each of them a number from 1 on, in any order."""
    i = cuda.grid(1)
    if i < pages.shape[0] and pages[i] == -1:
        pages[i] = cuda.atomic.add(used, 0, 1) + 1


@kernel
def count_losses(losses, rows, stride, count, pages, owners, pool):
    """Count losses in their cells, and note whose each page is."""
    i = cuda.grid(1)
    if i >= rows * count:
        return
    row = quotient_of(i, count)
    at = row * stride + i - row * count
    place = octave_of(losses, at) * rows + row
    page = pages[place] - 1
    owners[page] = place
    cuda.atomic.add(pool, page * CELLS + cell_of(losses, at), np.uint32(1))


@kernel
def count_events(since, passage, stride, count, records, recorded, width, bins, diverged, reached):
    """Count divergences by the first recorded step not before them, and first passages by step."""
    lane = cuda.grid(1)
    if lane >= count:
        return
    step = since[lane]
    if step >= 0:
        low, high = 0, recorded
        while low < high:
            middle = (low + high) // 2
            if records[middle] < step:
                low = middle + 1
            else:
                high = middle
        cuda.atomic.add(diverged, low, 1)
    for level in range(reached.shape[0] // bins):
        step = passage[level * stride + lane]
        if step >= 0:
            cuda.atomic.add(reached, level * bins + step // width, 1)
