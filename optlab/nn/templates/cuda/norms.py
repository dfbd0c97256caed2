"""What is done once a batch for a norm: a block to a channel adds up the parts in a fixed order, then come scalar maps, in float64."""

# ruff: noqa: F821
import numba
from numba import cuda

from optlab.codegen.cuda import kernel, njit


# --- template ---
@njit
def whole(spare, partial, parts, many, which, width, k):
    """The sum over the parts, in every thread of the block."""
    thread = cuda.threadIdx.x
    total = 0.0
    for part in range(thread, parts, THREADS):
        total += partial[(part * many + which) * width + k]
    cuda.syncthreads()
    spare[thread] = total
    cuda.syncthreads()
    total = 0.0
    for t in range(THREADS):
        total += spare[t]
    return total


@kernel
def after_forward(partial, parts, n, weights, place, width, slopes, facts, running, run_place):
    """From the sums of a batch (``n`` pixels in all) to slopes and shifts, and the new running values."""
    spare = cuda.shared.array(THREADS, numba.float64)
    k = cuda.blockIdx.x
    "mark: forward sums"
    if cuda.threadIdx.x == 0:
        "mark: forward"


@kernel
def from_running(weights, place, width, slopes, running, run_place):
    """Slopes and shifts from the running values."""
    k = cuda.grid(1)
    if k < width:
        "mark: running"


@kernel
def after_backward(partial, parts, n, weights, place, width, facts, back, gradient):
    """From the sums of a batch to the gradients of the parameters and what the gradient of the result needs."""
    spare = cuda.shared.array(THREADS, numba.float64)
    k = cuda.blockIdx.x
    "mark: backward sums"
    if cuda.threadIdx.x == 0:
        "mark: backward"
