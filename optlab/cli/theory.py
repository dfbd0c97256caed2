"""``optlab theory``: the page of everything that is derived."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optlab.cli.output import print_json, progress_bar


def theory(
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("reports/theory"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Derive everything of every built-in rule and normalization, measure every bound, and write one page.

    Example: optlab theory --out reports/theory
    """
    from optlab.reporting.theory import theory as write

    command = "optlab theory" if out == Path("reports/theory") else f"optlab theory --out {out}"
    with progress_bar("theory") as progress:
        result = write(out=out, progress=progress, command=command)
    if json:
        print_json({"report": str(result.path), "findings": list(result.findings), "holds": result.holds})
        return 0
    import re

    for line in result.findings:
        print("- " + re.sub(r"<[^>]+>", "", line))
    print(f"{result.path} written in {result.duration:.0f} s")
    return 0
