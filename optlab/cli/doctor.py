"""``optlab doctor``: what this machine has, and what is missing."""

from __future__ import annotations

from typing import Annotated

import typer

from optlab.cli.output import print_json, print_table


def doctor(json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> int:
    """Versions, threads, vector instructions, CUDA, caches; what is missing and how to get it.

    Exit code 1 if something that optlab needs is broken.

    Example: optlab doctor
    """
    from optlab.diagnosis import diagnose

    found = diagnose()
    broken = any(item.state == "broken" for item in found)
    if json:
        print_json({"items": {item.name: {"state": item.state, "detail": item.detail} for item in found}, "broken": broken})
    else:
        print_table("", ("", "", ""), [(item.name, item.state, item.detail) for item in found], words=(0, 1, 2))
    return 1 if broken else 0
