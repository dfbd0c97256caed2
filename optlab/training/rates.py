"""The learning rate of every step: a schedule whose open parameters are filled from the length and the peak of a run."""

from __future__ import annotations

from optlab import schedules
from optlab.errors import InputError
from optlab.expressions import Schedule

PEAKS = ("alpha", "peak", "a")  #: names of the learning rate that a schedule is scaled by
WARMUP = 20  #: one step in so many, unless given
RISE = 25  #: one_cycle starts from the peak divided by this (Smith & Topin's ratio in common use)


def _free(record: Schedule) -> list[str]:
    """The parameters that have neither a value nor a default."""
    return [str(p) for p, about in record.parameters.items() if p not in record.bound and about.default is None]


def fitted(schedule: Schedule | str | float, *, steps: int, alpha: float | None = None, warmup: int | None = None) -> Schedule:
    """The schedule with what it leaves open filled in; what it binds itself stays.

    Parameters
    ----------
    schedule
        A name (``"cosine"``), a call (``"cosine(floor=0.001)"``), a record, or a number: constant.
    steps
        Steps of the whole run.
    alpha
        The learning rate: of a constant schedule, else the largest one.
    warmup
        Steps of the rise, where there is one (default: a twentieth of the run).

    Raises InputError if something is still open, or ``alpha`` is given and there is nothing to fill with it.

    >>> fitted("warmup_cosine", steps=1000, alpha=0.1).label()
    'warmup_cosine(peak=0.1, steps=1000, warmup=50)'
    """
    record = schedules.as_schedule(schedule)
    free = _free(record)
    values: dict[str, object] = {}
    if alpha is not None:
        scaled = [name for name in free if name in PEAKS]
        if not scaled:
            raise InputError(f"schedule {record.label()} has no open learning rate: leave alpha (--alpha) out")
        values |= dict.fromkeys(scaled, alpha)
        if "base" in free:
            values["base"] = alpha / RISE
    if "steps" in free:
        values["steps"] = steps
    if "warmup" in free:
        values["warmup"] = max(1, steps // WARMUP) if warmup is None else min(warmup, steps)
    lacking = [name for name in free if name not in values]
    if lacking:
        mend = "give alpha (--alpha 0.1)" if lacking[0] in (*PEAKS, "base") else f"write it as {record.name}({lacking[0]}=...)"
        raise InputError(f"schedule {record.name} needs {', '.join(lacking)}: {mend}")
    return record.with_(**values) if values else record
