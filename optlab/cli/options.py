"""Options that several commands take, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
