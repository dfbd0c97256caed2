"""The mean over all pixels of an image, and its backward pass."""

# ruff: noqa: F821
from numba import njit

from optlab.codegen.tracing import traced


# --- template ---
@traced
def average(scratch, pooled, image):
    def one(v):
        (part,) = repeat(scratch, H * H, lambda p, part: (part + load(scratch, p * CP + v * WIDTH, WIDTH),), (zeros(scratch, WIDTH, F),))
        store(pooled, image * CP + v * WIDTH, part * F(1 / (H * H)))

    repeat(scratch, CP // WIDTH, one)


@traced
def spread_out(scratch, pooled, image):
    def one(v):
        value = load(pooled, image * CP + v * WIDTH, WIDTH) * F(1 / (H * H))
        repeat(scratch, H * H, lambda p: store(scratch, BACK_PADDED_AT + p * CP + v * WIDTH, value))

    repeat(scratch, CP // WIDTH, one)


@njit(nogil=True, cache=True)
def forward(first, last, source, images, before, slopes, skip, kept, pooled, scratch):
    """Images first .. last - 1: the input by its source, then its mean over the pixels."""
    for image in range(first, last):
        "mark: take"
        average(scratch, pooled, image)


@njit(nogil=True, cache=True)
def backward(first, last, sink, before, slopes, kept, upper, passed, totals, scratch):
    """The same images: ``upper`` is the gradient of the means; it passes through what the input's source did, into ``passed``."""
    for image in range(first, last):
        spread_out(scratch, upper, image)
        "mark: give"
