"""The kernels around the maps of ``elements``, once for each way (NAME) in which an input is made or a gradient comes."""

# ruff: noqa: F821
import numba
from numba import cuda

from optlab.codegen.cuda import kernel


# --- template ---
@kernel
def run_take_NAME(result, slopes, facts, skip, kept, elements):
    for i in range(cuda.grid(1), elements, cuda.gridsize(1)):
        row, channel = place_of(i)
        take_NAME(result, slopes, facts, skip, kept, row, channel)


# --- give ---
@kernel
def run_give_NAME(given, upper, kept, result, slopes, facts, gradient, partial, rows):
    """The gradient that arrives at a norm's value, and its sums of this block's rows."""
    spare = cuda.shared.array(SPARE, numba.float64)
    thread = cuda.threadIdx.x
    group = thread // COLUMNS
    channel = thread - group * COLUMNS + cuda.blockIdx.y * COLUMNS
    many = (rows + cuda.gridDim.x - 1) // cuda.gridDim.x
    row = cuda.blockIdx.x * many + group
    end = min(rows, (cuda.blockIdx.x + 1) * many)
    totals = no_totals(result)
    while channel < K and row < end:
        parts = no_sums(result)
        stop = min(end, row + AT_ONCE * GROUPS)
        while row < stop:
            parts = give_NAME(given, upper, kept, result, slopes, facts, gradient, row, channel, parts)
            row += GROUPS
        totals = added(totals, parts)
    leave(spare, totals, thread)
    cuda.syncthreads()
    if thread < COLUMNS and channel < K:
        for k in range(own_BACK_SUMS):
            total = spare[k * THREADS + thread]
            for g in range(1, GROUPS):
                total += spare[k * THREADS + g * COLUMNS + thread]
            partial[(cuda.blockIdx.x * own_BACK_SUMS + k) * K + channel] = total
