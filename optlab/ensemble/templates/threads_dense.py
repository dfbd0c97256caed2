"""The products of a dense rotation for one trajectory: in place of those of ``dense.py`` for many, in the same order of sums."""

# ruff: noqa: F821
from optlab.codegen.cuda import njit


# --- template ---
@njit
def product(matrix, values, target, lanes, d):
    """target = matrix @ values, four rows at a time; the sums run over the columns in order."""
    for i in range(0, d, 4):
        a0, a1, a2, a3 = four_zeros(values)
        for j in range(d):
            a0, a1, a2, a3 = add_products(a0, a1, a2, a3, matrix, i * d + j, d, values, j * lanes)
        put_four(target, i * lanes, lanes, a0, a1, a2, a3)
