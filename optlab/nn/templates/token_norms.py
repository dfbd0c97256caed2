"""Norms over the features of each token, the tokens side by side in the lanes of a vector."""

# ruff: noqa: F821
from optlab.codegen.tracing import traced


# --- template ---
def of_sequence(weights, at, work, x, s):
    """What a norm needs of one sequence: its reductions, and functions of a feature's number: xhat, and the learned parameters."""
    found = []
    for integrand in norm_INTEGRANDS:

        def add_one(c, part, integrand=integrand):
            return (part + integrand(load(work, x + (s * D + c) * T, T), *found),)

        (part,) = repeat(work, D, add_one, (zeros(work, T, F),))
        found.append(part * F(1 / D))
    steep, level = norm_row(*found)
    return found, lambda c: fma(steep, load(work, x + (s * D + c) * T, T), level), lambda c: learned(weights, at, c)


def learned(weights, at, c):
    return [load(weights, at + k * D + c, 1) for k in range(norm_PARAMETERS)]


@traced
def normalize(weights, at, work, x, y):
    def one(s):
        _, xhat, parameters = of_sequence(weights, at, work, x, s)
        repeat(work, D, lambda c: store(work, y + (s * D + c) * T, norm_output(xhat(c), *parameters(c))))

    over(work, S, one)


@traced
def normalize_back(weights, at, gradient, work, x, dy, dx, kept):
    """The gradient of x and of the parameters; ``kept`` is room for xhat."""

    def one(s):
        found, xhat, parameters = of_sequence(weights, at, work, x, s)

        def element(c):
            return load(work, dy + (s * D + c) * T, T), xhat(c), *parameters(c)

        def meant(c, *parts):
            return tuple(a + b for a, b in zip(parts, norm_means(*element(c)), strict=True))

        sums = repeat(work, D, meant, tuple(zeros(work, T, F) for _ in range(norm_MEANS)))
        factors = norm_slopes(*found, *(part * F(1 / D) for part in sums))

        def passed(c):
            values = element(c)
            store(work, kept + (s * D + c) * T, values[1])
            store(work, dx + (s * D + c) * T, norm_dx(*values, *factors))

        repeat(work, D, passed)

    def summed(c):
        def meant(s, *parts):
            place = (s * D + c) * T
            terms = norm_integrands(load(work, dy + place, T), load(work, kept + place, T), *learned(weights, at, c))
            return tuple(a + b for a, b in zip(parts, terms, strict=True))

        for k, part in enumerate(repeat(work, S, meant, tuple(zeros(work, T, F) for _ in range(norm_PARAMETERS)))):
            store(gradient, at + k * D + c, total(part))

    over(work, S, one)
    over(work, D, summed)
