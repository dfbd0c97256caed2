"""The working copy of the filters: every weight rounded to bfloat16."""

# ruff: noqa: F821
from numba import cuda

from optlab.codegen.cuda import kernel, traced


# --- template ---
@traced
def narrowed(weights, working, at):
    store(working, at, load(weights, at, 1))


@kernel
def narrow(weights, working, end):
    at = cuda.grid(1)
    if at < end:
        narrowed(weights, working, at)
