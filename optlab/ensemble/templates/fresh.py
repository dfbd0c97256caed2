"""Mini-batch gradients over fresh samples, one block of random words each: ``sample_gradient_at`` is generated."""

# ruff: noqa: F821
from optlab.codegen.tracing import traced


# --- template ---
@traced
def add_sample(gradient, point, group, lanes, first, sample, key0, key1):
    w0, _, w2, w3 = rounds(count_up(first + group, WIDTH), sample & 0xFFFFFFFF, sample >> 32, DATA, key0, key1)
    normal, _ = normal_pair(w2, w3, F)
    for i, part in enumerate(sample_gradient_at(point, group, lanes, fma(F(2.0), uniform(w0, F), F(-1.0)), normal)):
        at = i * lanes + group
        store(gradient, at, load(gradient, at, WIDTH) + part)
