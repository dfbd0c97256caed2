"""Running the cells of a launch on all cores: chunks in any order, their results taken in order; interrupts keep what is done."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path

from optlab.ensemble.cell import Cell, Piece
from optlab.ensemble.checkpoint import Checkpoint

log = logging.getLogger(__name__)
SAVE_SECONDS = 20.0  #: between two writings of a checkpoint

Waiting = deque[tuple[Cell, "Future[Piece | None]"]]


def execute(
    cells: Sequence[Cell],
    workers: int,
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Path | None = None,
    chunk: int | None = None,
) -> None:
    """Run every cell to its end. The numbers depend neither on ``workers`` nor on ``chunk`` (blocks of 64 taken at once)."""
    kept = Checkpoint(checkpoint, cells) if checkpoint is not None else None
    runs, steps = cells[0].request.trajectories, cells[0].request.steps
    log.info("simulating %d x %s trajectories of %s steps, %d threads", len(cells), f"{runs:,}", f"{steps:,}", workers)
    if kept:
        log.info("what is done is kept in %s when interrupted", checkpoint)
    if kept is not None:
        kept.resume()
    total = sum(cell.request.trajectories for cell in cells)
    saved = time.monotonic()
    waiting: Waiting = deque()
    with ThreadPoolExecutor(workers) as pool:
        todo = _chunks(cells, workers, chunk)
        try:
            while True:
                while len(waiting) < 2 * workers + 2 and (task := next(todo, None)) is not None:
                    cell, start, level = task
                    waiting.append((cell, pool.submit(cell.run, start, level)))
                if not waiting:
                    break
                _take(waiting)
                if progress:
                    progress(sum(c.trajectories_done for c in cells), total)
                if kept is not None and time.monotonic() - saved > SAVE_SECONDS:
                    while waiting:  # counts are whole only when no worker is at them
                        _take(waiting)
                    kept.save()
                    saved = time.monotonic()
        except BaseException:
            for cell in cells:
                cell.stop[0] = 1
            pool.shutdown(wait=True, cancel_futures=True)
            if kept is not None:
                _rescue(waiting)
                kept.save()
            raise
    for cell in cells:
        cell.take_pending()
    if kept is not None:
        kept.remove()


def _take(waiting: Waiting) -> None:
    cell, future = waiting[0]
    piece = future.result()
    waiting.popleft()
    if piece is not None:
        cell.add(piece)


def _rescue(waiting: Waiting) -> None:
    """Keep what was finished out of order when the rest was stopped."""
    for cell, future in waiting:
        try:
            piece = future.result()
        except (CancelledError, Exception):
            continue
        if piece is not None:
            cell.add(piece)


def _chunks(cells: Sequence[Cell], workers: int, chunk: int | None) -> Iterator[tuple[Cell, int, int]]:
    """Aligned chunks of 2^level blocks, cell by cell, each cell from where it stands; what is pending is left out."""
    for cell in cells:
        for _ in range(workers - cell.spare.qsize()):
            cell.spare.put(cell.new_tally())
        largest = cell.level(workers) if chunk is None else max(chunk, 1).bit_length() - 1
        start, known = cell.done, {piece.first_block: piece for piece in cell.pending.values()}
        while start < cell.blocks:
            if start in known:
                start += 1 << known[start].level
                continue
            level = min(largest, (start & -start).bit_length() - 1) if start else largest
            following = min((s for s in known if s > start), default=start + (1 << level))
            while start + (1 << level) > following:
                level -= 1
            yield cell, start, level
            start += 1 << level
