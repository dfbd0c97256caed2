"""How many threads a computation takes unless it is told: all cores, or as many as this process was given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_given: list[int] = []


def usable_threads() -> int:
    """As many as the innermost ``threads_given`` says, else one for each core that this process may use."""
    if _given:
        return _given[-1]
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def threads_given(count: int) -> Iterator[None]:
    """While this is open, computations of the whole process take ``count`` threads. Numbers do not depend on it.

    >>> with threads_given(3):
    ...     usable_threads()
    3
    """
    _given.append(max(count, 1))
    try:
        yield
    finally:
        _given.pop()
