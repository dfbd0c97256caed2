"""Gradients of any objective of its coordinates: ``gradient_at`` is generated."""

# ruff: noqa: F821
from optlab.codegen.tracing import traced


# --- template ---
@traced
def put_gradient(gradient, point, group, lanes):
    for i, part in enumerate(gradient_at(point, group, lanes)):
        store(gradient, i * lanes + group, spread(part, load(point, group, WIDTH)))
