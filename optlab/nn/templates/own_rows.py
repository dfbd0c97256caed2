"""The output's norm where a group is the channels of one pixel."""

# ruff: noqa: F821
from optlab.codegen.tracing import traced


# --- template ---
@traced
def own_sums(result, sums, image):
    """Nothing of the batch is needed."""


@traced
def own_gradient(scratch, gradient, result, slopes, totals, image):
    """The gradient of the convolution's result, pixel by pixel, and the sums over pixels that the parameters' gradients are."""
    for k in range(own_BACK_SUMS):
        repeat(
            scratch,
            KP // WIDTH,
            lambda v, k=k: store(totals, (image * own_BACK_SUMS + k) * KP + v * WIDTH, zeros(scratch, WIDTH, np.float64)),
        )

    def row(i):
        for k in range(own_BACK_SUMS):
            repeat(scratch, KP // WIDTH, lambda v, k=k: store(scratch, SUMS_AT + k * KP + v * WIDTH, zeros(scratch, WIDTH, F)))
        repeat(scratch, OUT, lambda j: pixel(i, j))
        for k in range(own_BACK_SUMS):
            repeat(scratch, KP // WIDTH, lambda v, k=k: add(k, v))

    def add(k, v):
        at = (image * own_BACK_SUMS + k) * KP + v * WIDTH
        store(totals, at, load(totals, at, WIDTH) + widen(load(scratch, SUMS_AT + k * KP + v * WIDTH, WIDTH)))

    def pixel(i, j):
        place = (i * OUT + j) * KP
        start = image * (OUT * OUT * KP) + place
        reduced = row_means(result, start, K, own_INTEGRANDS)
        steep, level = own_row(*reduced)

        def element(v):
            parameters = [load(slopes, k * KP + v * WIDTH, WIDTH) for k in range(own_PARAMETERS)]
            xhat = fma(steep, load(result, start + v * WIDTH, WIDTH), level)
            return load(gradient, image * (OUT * OUT * KP) + place + v * WIDTH, WIDTH), xhat, *parameters

        sums = repeat(
            scratch,
            KP // WIDTH,
            lambda v, *parts: [a + b for a, b in zip(parts, own_means(*element(v)), strict=True)],
            tuple(zeros(scratch, WIDTH, F) for _ in range(own_MEANS)),
        )
        factors = own_slopes(*reduced, *(total(part) * F(1 / K) for part in sums))

        def one(v):
            values = element(v)
            store(scratch, SLOPE_AT + place + v * WIDTH, own_dx(*values, *factors))
            for k, term in enumerate(own_integrands(*values)):
                at = SUMS_AT + k * KP + v * WIDTH
                store(scratch, at, load(scratch, at, WIDTH) + term)

        repeat(scratch, KP // WIDTH, one)

    repeat(scratch, OUT, row)
