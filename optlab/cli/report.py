"""``optlab report``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optlab.cli.options import ClusterOption, StoreOption
from optlab.cli.output import print_json, progress_bar, warn


def report(
    spec: Annotated[Path | None, typer.Argument(help="A TOML spec; without one, the default report.", show_default=False)] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to (default: reports/convergence, or reports/NAME for NAME.toml).", show_default=False),
    ] = None,
    store: StoreOption = None,
    cluster: ClusterOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print the results as one JSON document.")] = False,
) -> int:
    """Derive, simulate, verify: write one self-contained HTML report with its figures and data.

    Interrupted, it goes on where it was. Example: optlab report examples/report.toml --out my-report
    """
    from optlab.reporting.build import report as write_report

    chosen = out or Path("reports") / (spec.stem if spec else "convergence")
    command = "optlab report" + (f" {spec}" if spec else "") + (f" --out {out}" if out else "")
    with progress_bar("report") as progress:
        result = write_report(spec, out=chosen, store=store, cluster=cluster, progress=progress, on_damage=warn, command=command)
    if json:
        print_json(result.numbers, elapsed=round(result.duration, 3))
    else:
        import re

        for finding in result.findings:
            print("- " + re.sub(r"<[^>]*>", "", finding))
        print(f"\n{result.path}  ({result.duration:.0f} s, {result.computed} cells computed, {result.read} read from the store)")
    return 0 if result.agrees else 1
