"""Means over the channels of one pixel, a thread to a pixel."""

# ruff: noqa: F821
from numba import cuda

from optlab.codegen.cuda import kernel, traced


# --- template ---
@traced
def reduce_row(result, facts, row):
    """The means of a row, in order; each may use those before it."""
    found = []
    for j, integrand in enumerate(own_INTEGRANDS):

        def add(c, part, integrand=integrand):
            return (part + integrand(load(result, row * K + c, 1), *found),)

        (part,) = repeat(result, K, add, (zeros(result, 1, F),))
        found.append(part * F(1 / K))
        store(facts, row * own_REDUCTIONS + j, found[-1])


@traced
def factors_of_row(gradient, result, slopes, facts, back, row):
    """What the gradient of the row's elements is made of."""

    def add(c, *parts):
        xhat = normalized(result, slopes, facts, row, c)
        terms = own_means(load(gradient, row * K + c, 1), xhat, *parameters_of(slopes, c))
        return [a + b for a, b in zip(parts, terms, strict=True)]

    means = [part * F(1 / K) for part in repeat(result, K, add, tuple(zeros(result, 1, F) for _ in range(own_MEANS)))]
    for j, value in enumerate(own_slopes(*reduced_of(facts, row), *means)):
        store(back, row * own_FACTORS + j, value)


@kernel
def row_facts(result, facts, rows):
    row = cuda.grid(1)
    if row < rows:
        reduce_row(result, facts, row)


@kernel
def row_factors(gradient, result, slopes, facts, back, rows):
    row = cuda.grid(1)
    if row < rows:
        factors_of_row(gradient, result, slopes, facts, back, row)
