"""What runs over flat buffers: the sum of the shards' gradients, and the rule's update."""

# ruff: noqa: F821
from numba import njit

from optlab.codegen.tracing import traced


# --- template ---
@traced
def add_up(partial, gradient, at, size):
    """The gradient is the sum over the shards, in their order."""
    total = load(partial, at, WIDTH)
    for shard in range(1, SHARDS):
        total = total + load(partial, at + size * shard, WIDTH)
    store(gradient, at, total)


@njit(nogil=True, cache=True)
def reduce(partial, gradient, begin, end):
    """``gradient[begin:end]`` from the shards' gradients; both in whole vectors."""
    for at in range(begin, end, WIDTH):
        add_up(partial, gradient, at, gradient.shape[0])


"mark: advance"


@njit(nogil=True, cache=True)
def advance(state, gradient, constants, scalars, begin, end):
    """One step of the rule on parameters begin .. end - 1, in whole vectors: ``state`` holds theta and the rule's states, a row each."""
    size = gradient.shape[0]
    "mark: unpack"
    for at in range(begin, end, WIDTH):
        "mark: step"


@njit(nogil=True, cache=True)
def look_ahead(state, point, constants, scalars, begin, end):
    """Where the rule takes the gradient."""
    size = point.shape[0]
    "mark: unpack"
    for at in range(begin, end, WIDTH):
        "mark: look"
