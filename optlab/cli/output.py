"""What the commands share: JSON on standard output, progress on standard error, rich tables."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

started = time.perf_counter()


def print_json(document: dict[str, Any], **varying: Any) -> None:
    """One JSON document on standard output. Numbers that JSON lacks become null; what varies from run to run comes last."""
    unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    print(
        json.dumps(_plain(document | varying | {"duration": round(time.perf_counter() - started, 3)}), indent=2, ensure_ascii=not unicode)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def warn(message: str) -> None:
    """A line on standard error."""
    print(f"optlab: {message}", file=sys.stderr)


def print_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]], words: Sequence[int] = (0,)) -> None:
    """A table on standard output; ``words`` are the columns of text."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title) if title else None, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False
    )
    for i, header in enumerate(headers):
        table.add_column(header, justify="left" if i in words else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))
    console = Console(soft_wrap=False, highlight=False, **_plain_console())
    if not sys.stdout.isatty():
        wide = Console(width=100_000, highlight=False)  # a file or a pipe gets whole lines
        console = Console(width=max(wide.measure(table).maximum, len(title)), highlight=False)
        with console.capture() as captured:
            console.print(table)
        print("\n".join(line.rstrip() for line in captured.get().splitlines()))
        return
    console.print(table)


class _Quiet:
    """Whether ``--quiet`` holds."""

    asked = False


class _Lines(logging.Handler):
    """Remarks of the library as lines on standard error, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"optlab: {record.getMessage()}", file=sys.stderr)


@contextmanager
def talk(quiet: bool, verbose: bool) -> Iterator[None]:
    """While a command runs: no progress (``quiet``), or all of the library's remarks (``verbose``). Raises InputError for both."""
    if quiet and verbose:
        from optlab.errors import InputError

        raise InputError("--quiet and --verbose exclude each other: give one")
    log, lines = logging.getLogger("optlab"), _Lines(logging.INFO if verbose else logging.WARNING)
    level, _Quiet.asked = log.level, quiet
    log.addHandler(lines)
    if verbose:
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(lines)
        log.setLevel(level)
        _Quiet.asked = False


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int, str], None] | None]:
    """A bar with the time left on standard error, or None when that is not a terminal, or ``--quiet`` asks for none.

    A terminal that cannot move its cursor (``TERM=dumb``) gets a line every ten seconds.
    """
    if _Quiet.asked or not sys.stderr.isatty():
        yield None
        return
    if os.environ.get("TERM") in ("dumb", "unknown"):
        yield _lines_of_progress(what)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, **_plain_console()), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def update(done: int, total: int, label: str = "") -> None:
            bar.update(task, completed=done, total=total, description=f"{what} {label}"[:60].rstrip())

        yield update


def _lines_of_progress(what: str, seconds: float = 10.0) -> Callable[[int, int, str], None]:
    began = told = time.monotonic()

    def update(done: int, total: int, label: str = "") -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < seconds:
            return
        told = now
        left = f", about {(now - began) * (total - done) / done:.0f} s left" if done and total else ""
        print(f"{what} {label}".rstrip() + f": {done:,} of {total:,}{left}", file=sys.stderr)

    return update


def _plain_console() -> dict[str, Any]:
    """Nothing but text where ``NO_COLOR`` is set (rich itself would leave bold and dim)."""
    return {"color_system": None} if os.environ.get("NO_COLOR") else {}


def number(value: float | None, digits: int = 5) -> str:
    """A number for a table."""
    return "-" if value is None or value != value else f"{value:.{digits}g}"
