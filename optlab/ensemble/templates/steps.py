"""What the loops over steps share: filling and copying, and following the levels of the loss."""

# ruff: noqa: F821
from optlab.codegen.tracing import traced


# --- template ---
@traced
def add_scaled(target, at, scale, source, row):
    store(target, at, fma(scale, load(source, row, WIDTH), load(target, at, WIDTH)))


@traced
def scale_row(target, at, factor):
    store(target, at, load(target, at, WIDTH) * factor)


@traced
def begin_group(bound, goal, group, limit, level):
    """Nothing has diverged; the losses aim at the first level."""
    store(bound, group, spread(limit, load(bound, group, WIDTH)))
    store(goal, group, spread(level, load(goal, group, WIDTH)))


@traced
def fill(target, at, number):
    store(target, at, spread(number, load(target, at, WIDTH)))


@traced
def copy(target, at, source, row):
    store(target, at, load(source, row, WIDTH))


@traced
def some_reached(now, goal, group):
    return any_of(load(now, group, WIDTH) <= load(goal, group, WIDTH))


@traced
def note_reached(now, goal, passage, at, group, level, following, step):
    """Where a loss is down to a level for the first time: note the step, and aim at the following level."""
    there = load(now, group, WIDTH) <= level
    before = load(passage, at, WIDTH)
    store(passage, at, select(there & (before < 0), step, before))
    store(goal, group, select(there, minimum(following, load(goal, group, WIDTH)), load(goal, group, WIDTH)))
