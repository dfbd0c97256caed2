"""out[i, j] = sum over d of a[i, d] b[d, j], in tiles; NAME is one of the three products of a linear layer.

A block makes TILE x ACROSS numbers of ``out``, a thread 4 x 4 of them in registers; DEEP rows and columns are staged at a time.
"""

# ruff: noqa: F821
import numba
from numba import cuda

from optlab.codegen.cuda import kernel, traced

# --- template ---
NAME_LEFT, NAME_RIGHT = NAME_TILE * DEEP, NAME_ACROSS * DEEP


@traced
def NAME_staged(i):
    """Where a staged number of ``a`` stands: its row in the tile and its place along the sum, whichever is consecutive in memory first."""
    if NAME_A_STEP == 1:
        row, place = divided(i, DEEP)
        return row, place
    place, row = divided(i, NAME_TILE)
    return row, place


@traced
def NAME_staged_b(i):
    if NAME_B_COLUMN == 1:
        place, column = divided(i, NAME_ACROSS)
        return place, column
    column, place = divided(i, DEEP)
    return place, column


@traced
def NAME_zeros(array):
    return tuple(zeros(array, 1, F) for _ in range(16))


@traced
def NAME_multiplied(left, right, row, column, sums):
    def one(depth, *sums):
        a = load_side_by_side(left, depth * NAME_TILE + row, 4)
        b = load_side_by_side(right, depth * NAME_ACROSS + column, 4)
        return [multiply_add(a[i], b[j], sums[i * 4 + j]) for i in range(4) for j in range(4)]

    return tuple(repeat(left, DEEP, one, sums))


@traced
def NAME_written(out, at, sums, rows, columns):
    """Those of the 4 x 4 numbers that are there; what is not is written over by what is, which stands first."""
    for i in range(3, -1, -1):
        for j in range(3, -1, -1):
            there = (rows > i) & (columns > j)
            place = select(there, at + (i * NAME_COLUMNS + j), at)
            store(out, place, sums[i * 4 + j])


@kernel
def NAME(a, a_place, b, b_place, out, out_place, rows, depth):
    left = cuda.shared.array(NAME_LEFT, REAL, alignment=16)
    right = cuda.shared.array(NAME_RIGHT, REAL, alignment=16)
    thread = cuda.threadIdx.x
    top, first = cuda.blockIdx.y * NAME_TILE, cuda.blockIdx.x * NAME_ACROSS
    row = thread // (NAME_ACROSS // 4) * 4
    column = (thread - thread // (NAME_ACROSS // 4) * (NAME_ACROSS // 4)) * 4
    sums = NAME_zeros(out)
    for begin in range(0, depth, DEEP):
        for i in range(thread, NAME_TILE * DEEP, NAME_THREADS):
            r, d = NAME_staged(i)
            value = F(0.0)
            if top + r < rows and begin + d < depth:
                value = a[a_place + (top + r) * NAME_A_ROW + (begin + d) * NAME_A_STEP]
            left[d * NAME_TILE + r] = value
        for i in range(thread, NAME_ACROSS * DEEP, NAME_THREADS):
            d, c = NAME_staged_b(i)
            value = F(0.0)
            if first + c < NAME_COLUMNS and begin + d < depth:
                value = b[b_place + (begin + d) * NAME_B_STEP + (first + c) * NAME_B_COLUMN]
            right[d * NAME_ACROSS + c] = value
        cuda.syncthreads()
        sums = NAME_multiplied(left, right, row, column, sums)
        cuda.syncthreads()
    if top + row < rows and first + column < NAME_COLUMNS:
        at = out_place + (top + row) * NAME_COLUMNS + first + column
        NAME_written(out, at, sums, rows - top - row, NAME_COLUMNS - first - column)
