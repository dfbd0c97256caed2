"""The mean over all pixels of an image; a thread to an image and channel."""

# ruff: noqa: F821
from numba import cuda

from optlab.codegen.cuda import kernel, traced


# --- template ---
@traced
def mean_of(kept, i):
    image, channel = divided(i, K)
    start = image * (SIDE * SIDE * K) + channel
    (total,) = repeat(kept, SIDE * SIDE, lambda p, part: (part + load(kept, start + p * K, 1),), (zeros(kept, 1, F),))
    return total * F(1 / (SIDE * SIDE))


@kernel
def pool(kept, pooled, elements):
    i = cuda.grid(1)
    if i < elements:
        pooled[i] = mean_of(kept, i)
