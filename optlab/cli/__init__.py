"""The command line: one file per command. Each parses, calls, prints; heavy imports happen inside the command."""

from __future__ import annotations

from typing import Annotated

import typer

from optlab._version import __version__
from optlab.cli import advise, claims, data, derive, doctor, experiment, grid, report, rosetta, runs, simulate, theory, train, verify
from optlab.cli.options import command, show_help
from optlab.cli.sections import Sections

app = typer.Typer(
    name="optlab",
    cls=Sections,
    help="What does this optimizer do, and how do we know? Derive it, simulate it, check one against the other.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"optlab {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    show_help(context)


command(app)(report.report)
command(app)(derive.derive)
command(app)(theory.theory)
command(app)(simulate.simulate)
for _name in experiment.QUESTIONS:
    command(app, _name)(experiment.command(_name))
command(app)(advise.advise)
command(app)(train.train)
command(app)(grid.grid)
command(app)(claims.claims)
app.add_typer(data.app, name="data")
app.add_typer(runs.app, name="runs")
command(app)(verify.verify)
command(app)(rosetta.rosetta)
command(app)(doctor.doctor)
