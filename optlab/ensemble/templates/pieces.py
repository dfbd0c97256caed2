"""Adding up losses ``sum_i phi(z_i; lam_i)``; for an axis-aligned problem the gradient of a coordinate is taken where it is used."""

# ruff: noqa: F821
from optlab.codegen.tracing import traced


# --- template ---
@traced
def no_loss(now):
    return zeros(now, WIDTH, np.float64)


@traced
def add_loss(total, values, at, lam):
    return total + widen(piece_loss(load(values, at, WIDTH), lam))


@traced
def put(now, group, value):
    store(now, group, value)
