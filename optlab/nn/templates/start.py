"""Normal numbers for the start of the weights."""

# ruff: noqa: F821
from numba import njit

from optlab.codegen.tracing import traced


# --- template ---
@traced
def four_normals(out, block, row, k0, k1):
    for q, value in enumerate(normals(rounds(row, block, 0, INITIALIZATION, k0, k1), F)):
        store(out, 4 * block + q, value)


@njit(nogil=True, cache=True)
def fill_normals(out, row, blocks, k0, k1):
    """N(0, 1) numbers, four from each of the first blocks of the stream of trajectory ``row``."""
    for block in range(blocks):
        four_normals(out, block, row, k0, k1)
