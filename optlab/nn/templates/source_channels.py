"""The input's norm where a group is a channel of the batch: slopes and shifts of y and xhat stand in ``slopes``, a row each."""

# ruff: noqa: F821


# --- template ---
def source_each(before, slopes, image, begin, end, body):
    """``body(i, j, v, y)``: the normalized pixels, vectors begin .. end - 1 of each."""

    def channels(step):
        v = step + begin
        slope, shift = load(slopes, v * WIDTH, WIDTH), load(slopes, CP + v * WIDTH, WIDTH)

        def pixel(i, j):
            body(i, j, v, fma(slope, load(before, ((image * H + i) * H + j) * CP + v * WIDTH, WIDTH), shift))

        over_pixels(before, H, pixel)

    repeat(before, end - begin, channels)


def source_back(scratch, before, slopes, kept, passed, totals, image):
    """The gradient of what was normalized, and the sums that its norm's backward pass needs, a row of pixels in working precision."""

    def channels(v):
        slope, shift, steep, level = (load(slopes, k * CP + v * WIDTH, WIDTH) for k in range(4))

        def row(i, *sums):
            def pixel(j, *parts):
                at = ((image * H + i) * H + j) * CP + v * WIDTH
                number = load(before, at, WIDTH)
                y = fma(slope, number, shift) if kept is None else load(kept, at, WIDTH)
                value = relu_back(load(scratch, BACK_PADDED_AT + inside(i, j) + v * WIDTH, WIDTH), y)
                store(passed, at, value)
                return [a + b for a, b in zip(parts, source_integrands(value, fma(steep, number, level)), strict=True)]

            parts = repeat(scratch, H, pixel, tuple(zeros(scratch, WIDTH, F) for _ in sums))
            return [a + widen(b) for a, b in zip(sums, parts, strict=True)]

        sums = repeat(scratch, H, row, tuple(zeros(scratch, WIDTH, np.float64) for _ in range(source_BACK_SUMS)))
        for k, value in enumerate(sums):
            store(totals, (image * source_BACK_SUMS + k) * CP + v * WIDTH, value)

    repeat(scratch, CP // WIDTH, channels)
