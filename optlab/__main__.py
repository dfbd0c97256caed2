"""``python -m optlab`` and the ``optlab`` command: exit codes, and one line for every error."""

from __future__ import annotations

import os
import sys

INTERRUPTED = "optlab: interrupted; a report goes on from its finished cells when it is run again"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 a check failed, 2 wrong input, 130 interrupted."""
    import typer

    from optlab.cli import app
    from optlab.errors import CheckFailed, Interrupted, OptlabError

    try:
        code = app(args=sys.argv[1:] if arguments is None else arguments, prog_name="optlab", standalone_mode=False)
        sys.stdout.flush()
        return _fail(INTERRUPTED, 130) if code == 130 else int(code or 0)
    except _named(typer.BadParameter, "ClickException") as error:  # type: ignore[misc]
        where = getattr(getattr(error, "ctx", None), "command_path", "optlab")
        message = " ".join(error.format_message().split())
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message())
            return 2
        return _fail(f"{where}: {message[0].lower()}{message[1:]} (see {where} --help)", 2)
    except CheckFailed as error:
        return _fail(f"optlab: {error}", 1)
    except Interrupted as error:
        return _fail(f"optlab: {error}", 130)
    except OptlabError as error:
        return _fail(f"optlab: {error}", 2)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(INTERRUPTED, 130)
    except (BrokenPipeError, SystemExit):  # typer turns a closed pipe into SystemExit; commands return their codes
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader (head, say) has left
        return 0


def _named(exception: type, name: str) -> type:
    """The ancestor of this name: typer brings click along under one name or another, by version."""
    return next(ancestor for ancestor in exception.__mro__ if ancestor.__name__ == name)


def _fail(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
