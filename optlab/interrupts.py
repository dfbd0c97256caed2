"""Ctrl-C at any moment, also where Python cannot raise it.

LLVM calls back into Python while it compiles. An exception there is printed and dropped, and what was compiled is lost: what fails
next is no defect. The same holds where an interrupt falls into a callback of the import system. So a Ctrl-C that was dropped is remembered,
and sent again. One that falls into the making of an object leaves half of it, whose end complains of what is missing.

This module imports next to nothing: it is in place before anything else is imported.
"""

from __future__ import annotations

import _thread
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from traceback import format_exception
from typing import Any

AGAIN_SECONDS = 0.05


class CtrlC:
    """Whether an interrupt was dropped; and what the ends of half-made objects said (``aside``), to be shown if nothing was interrupted."""

    def __init__(self) -> None:
        self.seen = False
        self.aside: list[str] = []

    def tell(self) -> None:
        """Show what was put aside, as Python would have done at once."""
        for text in self.aside:
            print(text, file=sys.stderr)
        self.aside.clear()


@contextmanager
def remembered() -> Iterator[CtrlC]:
    """Remember interrupts that Python has to drop, without printing them, and send them again a moment later."""
    state, before = CtrlC(), sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, AttributeError) and getattr(unraisable.object, "__name__", "") == "__del__":
            where = "".join(format_exception(unraisable.exc_value)).rstrip()
            state.aside.append(f"Exception ignored in: {unraisable.object!r}\n{where}")
            return
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)
            return
        state.seen = True
        again = Timer(AGAIN_SECONDS, lambda: _thread.interrupt_main() if sys.unraisablehook is hook else None)
        again.daemon = True
        again.start()

    sys.unraisablehook = hook
    try:
        yield state
    finally:
        sys.unraisablehook = before
