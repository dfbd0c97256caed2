"""Losses and gradients of ``f = sum_i phi((Q theta)_i; lam_i)`` for a dense rotation Q, whose rows ``turn`` holds.

For a quadratic ``matrix`` is its Hessian and one product gives the gradient; else it is Q', applied to phi' of Q theta.
Both have rows of zeros up to a multiple of four.
"""

# ruff: noqa: F821
from numba import njit

from optlab.codegen.tracing import traced


# --- template ---
@traced
def four_zeros(values):
    nought = zeros(values, WIDTH, F)
    return nought, nought, nought, nought


@traced
def add_products(a0, a1, a2, a3, matrix, row, d, values, at):
    x = load(values, at, WIDTH)
    return (
        fma(load(matrix, row, 1), x, a0),
        fma(load(matrix, row + d, 1), x, a1),
        fma(load(matrix, row + d * 2, 1), x, a2),
        fma(load(matrix, row + d * 3, 1), x, a3),
    )


@traced
def put_four(target, at, lanes, a0, a1, a2, a3):
    store(target, at, a0)
    store(target, at + lanes, a1)
    store(target, at + lanes * 2, a2)
    store(target, at + lanes * 3, a3)


@traced
def slope_in_place(values, at, lam):
    store(values, at, spread(piece_gradient(load(values, at, WIDTH), lam), load(values, at, WIDTH)))


@njit(forceinline=True)
def product(matrix, values, target, lanes, d):
    """target = matrix @ values for every lane, four rows at a time; the sums run over the columns in order."""
    for i in range(0, d, 4):
        for group in range(0, lanes, WIDTH):
            a0, a1, a2, a3 = four_zeros(values)
            for j in range(d):
                a0, a1, a2, a3 = add_products(a0, a1, a2, a3, matrix, i * d + j, d, values, j * lanes + group)
            put_four(target, i * lanes + group, lanes, a0, a1, a2, a3)
