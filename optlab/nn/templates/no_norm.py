"""Where there is no norm: what comes goes on as it is."""

# ruff: noqa: F821
from optlab.codegen.tracing import traced


# --- template ---
@traced
def normalize(weights, at, work, x, y):
    over(work, S * D, lambda i: store(work, y + i * T, load(work, x + i * T, T)))


@traced
def normalize_back(weights, at, gradient, work, x, dy, dx, kept):
    over(work, S * D, lambda i: store(work, dx + i * T, load(work, dy + i * T, T)))
