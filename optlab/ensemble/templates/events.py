"""Noting when a run diverges."""

# ruff: noqa: F821
from optlab.codegen.tracing import traced


# --- template ---
@traced
def nothing_over(bound):
    return signed(load(bound, 0, WIDTH) & 0)


@traced
def some_over(over):
    return any_of(over < 0)


@traced
def note_diverged(state, bound, since, at, group, run, step):
    """Note the step of each run that has gone beyond its bound in this coordinate."""
    before = load(since, run, WIDTH)
    beyond = (bits(load(state, at, WIDTH)) & NEVER) > load(bound, group, WIDTH)
    store(since, run, select(beyond & (before < 0), step, before))


@traced
def look_away(bound, since, group, run):
    """Look no more at the runs that have diverged."""
    limits = load(bound, group, WIDTH)
    store(bound, group, select(load(since, run, WIDTH) >= 0, spread(NEVER, limits), limits))
