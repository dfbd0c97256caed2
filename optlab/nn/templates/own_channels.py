"""The output's norm where a group is a channel of the batch."""

# ruff: noqa: F821
from optlab.codegen.tracing import traced


# --- template ---
@traced
def own_sums(result, sums, image):
    """Sums of powers over the pixels of each channel: a row of pixels in working precision, rows in float64."""

    def channels(v):
        start = image * (OUT * OUT * KP) + v * WIDTH
        pivot = load(result, start, WIDTH)

        def row(i, *totals):
            def pixel(j, *parts):
                number = load(result, start + (i * OUT + j) * KP, WIDTH) - pivot
                return [a + b for a, b in zip(parts, own_moments(number), strict=True)]

            parts = repeat(result, OUT, pixel, tuple(zeros(result, WIDTH, F) for _ in totals))
            return [a + widen(b) for a, b in zip(totals, parts, strict=True)]

        totals = repeat(result, OUT, row, tuple(zeros(result, WIDTH, np.float64) for _ in range(own_SUMS)))
        for k, value in enumerate(own_unshifted(*totals, widen(pivot), float(OUT * OUT))):
            store(sums, (image * own_SUMS + k) * KP + v * WIDTH, value)

    if own_SUMS:
        repeat(result, KP // WIDTH, channels)


@traced
def own_gradient(scratch, gradient, result, slopes, totals, image):
    """The gradient of the convolution's result, linear in that of its normalized value and in the result."""

    def channels(v):
        steep, slope, shift = (load(slopes, k * KP + v * WIDTH, WIDTH) for k in range(3))

        def pixel(i, j):
            at = (i * OUT + j) * KP + v * WIDTH
            rest = fma(slope, load(result, image * (OUT * OUT * KP) + at, WIDTH), shift)
            store(scratch, SLOPE_AT + at, fma(steep, load(gradient, image * (OUT * OUT * KP) + at, WIDTH), rest))

        over_pixels(scratch, OUT, pixel)

    repeat(scratch, KP // WIDTH, channels)
