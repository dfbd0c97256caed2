"""The command line: one file per command. Each parses, calls, prints; heavy imports happen inside the command."""

from __future__ import annotations

from typing import Annotated

import typer

from optlab._version import __version__
from optlab.cli import advise, claims, data, derive, doctor, experiment, grid, report, rosetta, runs, simulate, theory, train, verify

app = typer.Typer(
    name="optlab",
    help="What does this optimizer do, and how do we know? Derive it, simulate it, check one against the other.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"optlab {__version__}")
        raise typer.Exit


@app.callback()
def _root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    pass


app.command()(report.report)
app.command()(derive.derive)
app.command()(theory.theory)
app.command()(simulate.simulate)
for _name in experiment.QUESTIONS:
    app.command(_name)(experiment.command(_name))
app.command()(advise.advise)
app.command()(train.train)
app.command()(grid.grid)
app.command()(claims.claims)
app.add_typer(data.app, name="data")
app.add_typer(runs.app, name="runs")
app.command()(verify.verify)
app.command()(rosetta.rosetta)
app.command()(doctor.doctor)
