"""How much memory a launch needs, said before it starts."""

from __future__ import annotations

import os
from collections.abc import Sequence

from optlab.ensemble.layout import BLOCK, CHUNK_BYTES
from optlab.ensemble.specs import Request
from optlab.errors import InputError

_PER_RECORD_OF_COUNTS = 4096 + 40 * 256  #: bytes of a worker's counts for one record: the touched part of its index, and 40 octaves


def needed(requests: Sequence[Request], workers: int, chunk_bytes: int = CHUNK_BYTES) -> int:
    """Bytes, about: the results of all cells, and the buffers of one cell in every worker."""
    return sum(_result(r) for r in requests) + max(_buffers(r, workers, chunk_bytes) for r in requests)


def _result(r: Request) -> int:
    per_record = 6 * 8 * 2 + 8 * (6 + len(r.quantiles) + len(r.reach)) + (r.problem.dim * 6 * 8 * 2 if r.coordinates else 0)
    kept = r.keep * len(r.records) * (r.problem.dim + 1) * 8
    return len(r.records) * per_record + kept + (16 * r.trajectories if r.outcomes else 0) + 8 * r.steps


def _buffers(r: Request, workers: int, chunk_bytes: int) -> int:
    watched = r.coordinates or r.keep
    chunk = max(len(r.records) * BLOCK * 8 * (1 + (r.problem.dim if watched else 0)), chunk_bytes)
    counts = len(r.records) * _PER_RECORD_OF_COUNTS if r.quantiles else 0
    state = 8 * 6 * BLOCK * r.problem.dim
    table = 8 * 6 * r.steps
    matrix = 2 * 8 * r.problem.dim**2 if getattr(r.problem, "rotation", None) is not None else 0
    rows = 8 * getattr(r.problem, "n", 0) * (r.problem.dim + 9)
    return workers * (chunk + counts + state) + table + matrix + rows


def physical() -> int:
    """Bytes of memory of this machine."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not told: assume a small one
        return 4 << 30


def check_memory(requests: Sequence[Request], workers: int, limit: float | None, chunk_bytes: int = CHUNK_BYTES) -> None:
    """Raise InputError, with the numbers and the mend, if the launch cannot fit."""
    allowed = physical() / 2 if limit is None else float(limit)
    need = needed(requests, workers, chunk_bytes)
    if need > allowed:
        r = max(requests, key=_result)
        raise InputError(
            f"{len(requests)} cells x {len(r.records)} recorded steps need about {need / 1e6:,.0f} MB, and {allowed / 1e6:,.0f} MB are "
            "allowed: "
            "record fewer steps, keep fewer trajectories, split the grid, or give memory="
        )
