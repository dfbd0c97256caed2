"""``python -m optlab`` and the ``optlab`` command: exit codes, and one line for every error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

INTERRUPTED = "optlab: interrupted"
KEPT = "; finished cells are kept, and the same command goes on from them"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 a check failed, 2 wrong input, 130 interrupted."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        from optlab.interrupts import remembered

        with remembered() as ctrl_c:
            try:
                code = _run(words)
            except Exception:
                if not ctrl_c.seen:  # a defect of optlab: its traceback is what mends it
                    ctrl_c.tell()
                    raise
                return _interrupted(words)
            if code != 130:
                ctrl_c.tell()
            return code
    except KeyboardInterrupt:
        return _interrupted(words)


def _run(words: Sequence[str]) -> int:
    import typer

    from optlab.cli import app
    from optlab.errors import CheckFailed, Interrupted, OptlabError
    from optlab.files import mend

    if hasattr(sys.stdout, "reconfigure"):  # a terminal without Greek letters gets their numbers
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = app(args=list(words), prog_name="optlab", standalone_mode=False)
        sys.stdout.flush()
        return _interrupted(words) if code == 130 else int(code or 0)
    except _named(typer.BadParameter, "ClickException") as error:  # type: ignore[misc]
        where = getattr(getattr(error, "ctx", None), "command_path", "optlab")
        message = _with_value(" ".join(error.format_message().split()), getattr(error, "param", None), words)
        return _fail(f"{where}: {message[0].lower()}{message[1:]} (see {where} --help)", 2)
    except CheckFailed as error:
        print(f"optlab: {error}", file=sys.stderr)
        return 1
    except Interrupted as error:
        return _fail(f"optlab: {error}", 130)
    except OptlabError as error:
        return _fail(f"optlab: {error}", 2)
    except typer.Abort:
        return _interrupted(words)
    except SystemExit as error:  # typer's: a closed pipe, or completion
        closed = type(sys.stdout).__name__ == "PacifyFlushWrapper"
        return _leave_output() if closed else int(error.code or 0)
    except BrokenPipeError:
        return _leave_output()
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else f"cannot write the output: {error.strerror or error}"
        code = _fail(f"optlab: {what}; {mend(error)}", 2)
        try:
            sys.stdout.flush()
        except OSError:
            _leave_output()
        return code
    except MemoryError:
        return _fail("optlab: there is not enough memory for what was asked; ask for less, or run it on a larger machine", 2)


def _with_value(message: str, option: Any, words: Sequence[str]) -> str:
    """The message with the value that was given: some versions of typer name the option only."""
    for name in getattr(option, "opts", ()):
        given = [right for left, right in pairwise(words) if left == name]
        given += [word.partition("=")[2] for word in words if word.startswith(f"{name}=")]
        if given and repr(given[0]) not in message:
            return message.replace(f"for '{name}'", f"{given[0]!r} for '{name}'", 1)
    return message


def _leave_output() -> int:
    """The reader (head, say) has left: nothing more is written there, at the interpreter's end neither."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def _named(exception: type, name: str) -> type:
    """The ancestor of this name: typer brings click along under one name or another, by version."""
    return next(ancestor for ancestor in exception.__mro__ if ancestor.__name__ == name)


def _interrupted(words: Sequence[str]) -> int:
    from optlab.experiments.catalog import QUESTIONS

    keeps = any(word in ("report", "grid", "claims", *QUESTIONS) for word in words[:1])
    return _fail(INTERRUPTED + (KEPT if keeps else ""), 130)


def _fail(message: str, code: int) -> int:
    """One line on standard error, whatever a file's name holds."""
    line = " ".join(message.splitlines())
    print("".join(c if c.isprintable() else "?" for c in line), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
