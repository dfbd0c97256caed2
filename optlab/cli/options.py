"""Options that several commands take, written once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, cleandoc, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from optlab.cli.output import talk

#: ``--store``: for every command that keeps cells.
StoreOption = Annotated[
    Path | None, typer.Option("--store", help="Where finished cells are kept (default: your cache folder).", show_default=False)
]

#: ``--cluster``: for every command that runs cells; give it to ``optlab.experiments.cluster.connected``.
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster", envvar="OPTLAB_CLUSTER", help="Address of a Dask scheduler, such as tcp://host:8786, whose workers compute the cells.",
        show_default=False, metavar="ADDRESS",
    ),
]  # fmt: skip

#: ``--data-dir`` and ``--label``: for every command that trains on images.
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the CIFAR-10 files (default: $OPTLAB_DATA).", show_default=False)
]
LabelOption = Annotated[
    str | None, typer.Option("--label", help="What results are labeled with, if the files are not the official ones.", show_default=False)
]

#: ``--backend``: for every command that can compute on a CUDA device.
BackendOption = Annotated[str, typer.Option("--backend", help="cpu, cuda, or auto: CUDA where a device answers and can run it.")]

#: ``--threads``: for every command that takes threads.
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", help="Worker threads (default: all cores; the numbers do not depend on it).", show_default=False)
]


def rule_names(incomplete: str) -> list[str]:
    """The rules whose names begin so, for the completion of a shell."""
    from optlab import rules

    return [name for name in rules.names() if name.startswith(incomplete)]


def schedule_names(incomplete: str) -> list[str]:
    """The schedules whose names begin so."""
    from optlab import schedules

    return [name for name in schedules.names() if name.startswith(incomplete)]


def problem_names(incomplete: str) -> list[str]:
    """The problems whose names begin so."""
    from optlab import problems

    return [name for name in problems.names() if name.startswith(incomplete)]


def definition_names(incomplete: str) -> list[str]:
    """The rules, schedules and normalizations whose names begin so."""
    from optlab import norms

    return [*rule_names(incomplete), *schedule_names(incomplete), *(name for name in norms.names() if name.startswith(incomplete))]


QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no remarks: only the result.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say what is computed, what is read from the store, and where it is kept.")
]


def show_help(context: typer.Context) -> None:
    """What a group does without a command: show its help and fail, as not every version of click does."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


Command = Callable[..., int]


def command(app: typer.Typer, name: str | None = None) -> Callable[[Command], Command]:
    """Add a function to the commands of ``app``: with ``--quiet`` and ``--verbose``, and its examples at the end of its help.

    Examples are what its docstring holds from ``Example:`` on, a line each.
    """

    def add(function: Command) -> Command:
        about, _, examples = cleandoc(function.__doc__ or "").partition("Example: ")
        app.command(name or function.__name__, help=about.rstrip(), epilog=epilog(examples))(_talking(function))
        return function

    return add


def epilog(examples: str) -> str | None:
    """The end of a help text, whose lines are not to be folded.

    >>> epilog("optlab derive sgd\\n\\noptlab derive adam")
    '\\x08\\nExample: optlab derive sgd\\n         optlab derive adam'
    """
    lines = [line.strip() for line in examples.splitlines() if line.strip()]
    return "\b\nExample: " + "\n         ".join(lines) if lines else None


def _talking(function: Command) -> Command:
    """The same function with ``quiet`` and ``verbose``, which hold while it runs."""

    @wraps(function)
    def told(*, quiet: bool = False, verbose: bool = False, **options: Any) -> int:
        with talk(quiet, verbose):
            return function(**options)

    asked = signature(function, eval_str=True)
    more = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=False, annotation=option)
        for name, option in (("quiet", QuietOption), ("verbose", VerboseOption))
    ]
    told.__signature__ = asked.replace(parameters=[*asked.parameters.values(), *more])  # type: ignore[attr-defined]
    told.__annotations__ = {each.name: each.annotation for each in (*asked.parameters.values(), *more)}
    return told
