"""Images of one convolution's input: read by what made them, with a margin of zeros; and gradients on their way back."""

# ruff: noqa: F821
from numba import njit

from optlab.codegen.tracing import traced


# --- template ---
@traced
def clear(scratch, at):
    """Zeros in an image with its margin."""
    repeat(scratch, HALO * HALO * CP // WIDTH, lambda i: store(scratch, at + i * WIDTH, zeros(scratch, WIDTH, F)))


def inside(i, j):
    """Where a pixel stands in an image with its margin."""
    return ((i + MARGIN) * HALO + j + MARGIN) * CP


def over_pixels(array, side, body):
    repeat(array, side, lambda i: repeat(array, side, lambda j: body(i, j)))


@traced
def take_images(scratch, images, image):
    """The given numbers, C of them a pixel."""

    def one(i, j):
        start, place = ((image * H + i) * H + j) * C, PADDED_AT + inside(i, j)
        repeat(scratch, C, lambda c: store(scratch, place + c, load(images, start + c, 1)))

    over_pixels(scratch, H, one)


@traced
def take_kept(scratch, kept, image):
    """What a forward pass has kept."""

    def one(i, j, v):
        store(scratch, PADDED_AT + inside(i, j) + v * WIDTH, load(kept, ((image * H + i) * H + j) * CP + v * WIDTH, WIDTH))

    over_pixels(scratch, H, lambda i, j: repeat(scratch, CP // WIDTH, lambda v: one(i, j, v)))


def put(scratch, kept, image, i, j, v, value):
    store(scratch, PADDED_AT + inside(i, j) + v * WIDTH, value)
    if kept is not None:
        store(kept, ((image * H + i) * H + j) * CP + v * WIDTH, value)


@traced
def take_active(scratch, before, slopes, image):
    """Normalized and rectified."""
    source_each(before, slopes, image, 0, CP // WIDTH, lambda i, j, v, y: put(scratch, None, image, i, j, v, relu(y)))


@traced
def take_first(scratch, before, slopes, kept, image):
    """The same, kept."""
    source_each(before, slopes, image, 0, CP // WIDTH, lambda i, j, v, y: put(scratch, kept, image, i, j, v, relu(y)))


@traced
def take_same(scratch, before, slopes, skip, kept, image):
    """Normalized, the shortcut added, rectified, kept."""

    def one(i, j, v, y):
        other = load(skip, ((image * H + i) * H + j) * CP + v * WIDTH, WIDTH)
        put(scratch, kept, image, i, j, v, relu(y + other))

    source_each(before, slopes, image, 0, CP // WIDTH, one)


@traced
def take_down(scratch, before, slopes, skip, kept, image):
    """The same with a shortcut of twice the side and half the channels: every other pixel, the missing channels zero."""

    def one(i, j, v, y):
        other = load(skip, ((image * (2 * H) + 2 * i) * (2 * H) + 2 * j) * (CP // 2) + v * WIDTH, WIDTH)
        put(scratch, kept, image, i, j, v, relu(y + other))

    source_each(before, slopes, image, 0, CP // 2 // WIDTH, one)
    source_each(before, slopes, image, CP // 2 // WIDTH, CP // WIDTH, lambda i, j, v, y: put(scratch, kept, image, i, j, v, relu(y)))


@traced
def add_same(scratch, upper, image):
    """The gradient that the shortcut brings."""

    def one(i, j, v):
        at = BACK_PADDED_AT + inside(i, j) + v * WIDTH
        store(scratch, at, load(scratch, at, WIDTH) + load(upper, ((image * H + i) * H + j) * CP + v * WIDTH, WIDTH))

    over_pixels(scratch, H, lambda i, j: repeat(scratch, CP // WIDTH, lambda v: one(i, j, v)))


@traced
def add_down(scratch, upper, image):
    """The gradient of half the side and twice the channels that the shortcut brings."""

    def one(i, j, v):
        at = BACK_PADDED_AT + inside(2 * i, 2 * j) + v * WIDTH
        store(scratch, at, load(scratch, at, WIDTH) + load(upper, ((image * (H // 2) + i) * (H // 2) + j) * (2 * CP) + v * WIDTH, WIDTH))

    over_pixels(scratch, H // 2, lambda i, j: repeat(scratch, CP // WIDTH, lambda v: one(i, j, v)))


@traced
def give_plain(scratch, passed, image):
    """The gradient of given numbers."""

    def one(i, j, v):
        value = load(scratch, BACK_PADDED_AT + inside(i, j) + v * WIDTH, WIDTH)
        store(passed, ((image * H + i) * H + j) * CP + v * WIDTH, value)

    over_pixels(scratch, H, lambda i, j: repeat(scratch, CP // WIDTH, lambda v: one(i, j, v)))


@traced
def give_active(scratch, before, slopes, passed, totals, image):
    """Back through the rectifier, whose argument is computed again."""
    source_back(scratch, before, slopes, None, passed, totals, image)


@traced
def give_kept(scratch, before, slopes, kept, passed, totals, image):
    """Back through the rectifier, whose result was kept."""
    source_back(scratch, before, slopes, kept, passed, totals, image)
