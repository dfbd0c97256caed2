"""Tensor cores in Python: ``ldmatrix`` and ``mma`` of a whole warp, by the fragment layouts of the PTX ISA (version 8.0, sections 9.7.13).

Registers are arrays over the 32 lanes. Sums are taken in float32, k = 0 .. 15 in this order, each product (exact in float32) added to
C and rounded to nearest; devices add in an order of their own and may cut bits where they align.
"""

import numpy as np

LANES = np.arange(32)
GROUP, THREAD = LANES >> 2, LANES & 3  # "groupID" and "threadID_in_group"


def row_of_a(i):
    return GROUP if i in (0, 1, 4, 5) else GROUP + 8


def column_of_a(i):
    return THREAD * 2 + (i & 1) + (8 if i >= 4 else 0)


def row_of_b(i):
    return THREAD * 2 + (i & 1) + (8 if i >= 2 else 0)


def column_of_b(i):
    return GROUP


def row_of_c(i):
    return GROUP if i < 2 else GROUP + 8


def column_of_c(i):
    return THREAD * 2 + (i & 1)


def _numbers(registers):
    """The bfloat16 numbers of registers of two, the lower half first, as float32."""
    for register in registers:
        yield (register << np.uint32(16)).view(np.float32)
        yield (register & np.uint32(0xFFFF0000)).view(np.float32)


def matrices(array, at, offset, turned):
    """``ldmatrix.sync.aligned.m8n8.x4`` (``.trans``): lanes 8 m .. 8 m + 7 hold the places of the rows of matrix m."""
    places = np.asarray(at) + offset
    if (places % 8).any() or (places < 0).any() or (places + 8 > len(array)).any():
        raise IndexError(f"rows of a matrix begin at multiples of 16 bytes inside the array, not at {places.tolist()} of {len(array)}")
    out = []
    for m in range(4):
        rows = array[places[8 * m : 8 * m + 8, None] + np.arange(8)].astype(np.uint32)
        rows = rows.T if turned else rows
        out.append(rows[GROUP, 2 * THREAD] | rows[GROUP, 2 * THREAD + 1] << np.uint32(16))
    return tuple(out)


def mma(a, b, c):
    """``mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32``."""
    left, right, total = np.empty((16, 16), np.float32), np.empty((16, 8), np.float32), np.empty((16, 8), np.float32)
    for i, numbers in enumerate(_numbers(a)):
        left[row_of_a(i), column_of_a(i)] = numbers
    for i, numbers in enumerate(_numbers(b)):
        right[row_of_b(i), column_of_b(i)] = numbers
    for i in range(4):
        total[row_of_c(i), column_of_c(i)] = c[i]
    with np.errstate(all="ignore"):
        for k in range(16):
            total += left[:, k, None] * right[k]
    return tuple(total[row_of_c(i), column_of_c(i)] for i in range(4))
