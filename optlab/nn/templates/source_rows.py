"""The input's norm where a group is the channels of one pixel: ``slopes`` holds its parameters, a row each."""


# ruff: noqa: F821
# --- template ---
def source_reduced(before, at):
    """The row's means in order."""
    return row_means(before, at, C, source_INTEGRANDS)


def source_each(before, slopes, image, begin, end, body):
    """``body(i, j, v, y)``: the normalized pixels, vectors begin .. end - 1 of each."""

    def pixel(i, j):
        at = ((image * H + i) * H + j) * CP
        steep, level = source_row(*source_reduced(before, at))

        def one(step):
            v = step + begin
            parameters = [load(slopes, k * CP + v * WIDTH, WIDTH) for k in range(source_PARAMETERS)]
            body(i, j, v, source_output(fma(steep, load(before, at + v * WIDTH, WIDTH), level), *parameters))

        repeat(before, end - begin, one)

    over_pixels(before, H, pixel)


def source_back(scratch, before, slopes, kept, passed, totals, image):
    """The gradient of what was normalized; its sums are taken where its norm's backward pass is."""

    def one(i, j, v, y):
        at = ((image * H + i) * H + j) * CP + v * WIDTH
        if kept is not None:
            y = load(kept, at, WIDTH)
        store(passed, at, relu_back(load(scratch, BACK_PADDED_AT + inside(i, j) + v * WIDTH, WIDTH), y))

    source_each(before, slopes, image, 0, CP // WIDTH, one)
