"""Means over the channels of one pixel, in order."""


# ruff: noqa: F821
# --- template ---
def row_means(array, at, channels, integrands):
    """The mean of each integrand over ``channels`` numbers from ``at``; each may use the means before it."""
    found = []
    for integrand in integrands:

        def add(v, part, integrand=integrand):
            return (part + integrand(load(array, at + v * WIDTH, WIDTH), *found),)

        part = zeros(array, WIDTH, F)
        if channels // WIDTH:
            (part,) = repeat(array, channels // WIDTH, add, (part,))
        if channels % WIDTH:
            last = integrand(load(array, at + channels // WIDTH * WIDTH, WIDTH), *found)
            part = part + select(first_lanes(array, channels % WIDTH), last, zeros(array, WIDTH, F))
        found.append(total(part) * F(1 / channels))
    return found


def first_lanes(array, many):
    """A mask of the first lanes."""
    return count_up(zeros(array, 1, np.int64), WIDTH) < many
