"""The loss of problems whose objective is one expression of the coordinates: ``objective_at`` is generated."""

# ruff: noqa: F821
from optlab.codegen.tracing import traced


# --- template ---
@traced
def put_loss(now, state, group, lanes):
    store(now, group, widen(spread(objective_at(state, group, lanes), load(state, group, WIDTH))))
