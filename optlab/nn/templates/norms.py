"""What is done once a batch for a norm: sums over the images in their order, in float64, then scalar maps of each channel."""

from numba import njit


# --- template ---
@njit
def sum_of(sums, images, many, which, padded, k):
    total = 0.0
    for image in range(images):
        total += sums[(image * many + which) * padded + k]
    return total


@njit(nogil=True, cache=True)
def after_forward(sums, images, n, weights, place, width, padded, slopes, facts, running, run_place):
    """From the sums of a batch of ``images`` (``n`` pixels in all) to slopes and shifts, and the new running values."""
    for k in range(width):
        "mark: forward"


@njit(nogil=True, cache=True)
def from_running(weights, place, width, padded, slopes, running, run_place):
    """Slopes and shifts from the running values."""
    for k in range(width):
        "mark: running"


@njit(nogil=True, cache=True)
def after_backward(totals, images, n, weights, place, width, padded, facts, back, gradient):
    """From the sums of a batch to the gradients of the parameters and what the gradient of the input needs."""
    for k in range(width):
        "mark: backward"
