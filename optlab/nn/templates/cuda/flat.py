"""What runs over flat buffers: the sum of the parts of a gradient, the rule's update, and the norms that are noted of each step."""

# ruff: noqa: F821
import numba
import numpy as np
from numba import cuda

from optlab.codegen.cuda import kernel, traced

# --- template ---
SQUARES, NOTED = 3 * THREADS, 5 * THREADS


@kernel
def reduce(partial, gradient, parts, size, end):
    """``gradient[:end]`` as the sum of the parts, in their order."""
    at = cuda.grid(1)
    if at < end:
        total = partial[at]
        for part in range(1, parts):
            total += partial[part * size + at]
        gradient[at] = total


"mark: advance"


@traced
def squared(value, total):
    """A sum of squares with one more."""
    number = wide(value)
    return multiply_add(number, number, total)


@kernel
def advance(state, gradient, constants, table, step, decayed, spare_sums):
    """One step of the rule: ``state`` holds theta and the rule's states, a row each; numbers of the step stand in ``table``.

    Each block leaves its sums of squares of the gradient, of the change and of theta before it.
    """
    spare = cuda.shared.array(SQUARES, numba.float64)
    size = gradient.shape[0]
    thread, at = cuda.threadIdx.x, cuda.grid(1)
    of_gradient, of_change, of_theta = 0.0, 0.0, 0.0
    if at < size:
        group = 0 if at < decayed else 1
        "mark: unpack"
        before = state[at]
        "mark: step"
        of_gradient = squared(gradient[at], of_gradient)
        of_change = squared(state[at] - before, of_change)
        of_theta = squared(before, of_theta)
    spare[thread], spare[THREADS + thread], spare[2 * THREADS + thread] = of_gradient, of_change, of_theta
    cuda.syncthreads()
    if thread < 3:
        total = 0.0
        for t in range(THREADS):
            total += spare[thread * THREADS + t]
        spare_sums[cuda.blockIdx.x * 3 + thread] = total


@kernel
def look_ahead(state, point, constants, table, step, decayed):
    """Where the rule takes the gradient."""
    size = point.shape[0]
    at = cuda.grid(1)
    if at < size:
        group = 0 if at < decayed else 1
        "mark: unpack"
        "mark: look"


@kernel
def note(losses, hits, images, spare_sums, blocks, record, step):
    """One block: the step's mean loss, right answers and squared norms go to its row of ``record``; the next step begins."""
    spare = cuda.shared.array(NOTED, numba.float64)
    thread = cuda.threadIdx.x
    for k in range(5):
        spare[k * THREADS + thread] = 0.0
    for image in range(thread, images, THREADS):
        spare[thread] += losses[image]
        spare[THREADS + thread] += float(hits[image])
    for block in range(thread, blocks, THREADS):
        for k in range(3):
            spare[(k + 2) * THREADS + thread] += spare_sums[block * 3 + k]
    cuda.syncthreads()
    if thread < 5:
        total = 0.0
        for t in range(THREADS):
            total += spare[thread * THREADS + t]
        if thread == 0:
            total /= float(images)
        record[step[0] * 5 + thread] = total
    cuda.syncthreads()
    if thread == 0:
        step[0] += 1
