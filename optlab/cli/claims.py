"""``optlab claims``: every claim of the source article, tested, with a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from optlab.cli.options import ClusterOption, StoreOption
from optlab.cli.output import number, print_json, print_table, progress_bar, warn


def claims(
    only: Annotated[str, typer.Option(help="Numbers of the claims to test, such as 11,20 (default: all).", show_default=False)] = "",
    preset: Annotated[str, typer.Option(help="quick or full: the sample sizes.")] = "quick",
    seed: Annotated[int, typer.Option(help="Same seed, same numbers.")] = 0,
    grid: Annotated[Path, typer.Option(help="What optlab grid wrote, for the claim about real networks.")] = Path(
        "reports/cifar10/runs.nc"
    ),
    store: StoreOption = None,
    cluster: ClusterOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the page (default: reports/claims; with --only no page unless named).", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the verdicts as one JSON document.")] = False,
) -> int:
    """Test what the article claims: measured numbers with intervals, and the verdicts that follow.

    Example: optlab claims --only 20,21
    """
    from optlab.claims.run import run_claims
    from optlab.reporting.claims import NOTHING, counts
    from optlab.reporting.claims import claims as write_claims

    numbers = read_numbers(only)
    page: Any = out if out is not None else None if numbers else Path("reports/claims")
    command = " ".join(["optlab claims", *([f"--only {only}"] if numbers else []), *([f"--preset {preset}"] if preset != "quick" else []),
                        *([f"--out {out}"] if out else [])])  # fmt: skip
    options: dict[str, Any] = {"preset": preset, "rng": seed, "grid": grid, "store": store, "cluster": cluster, "on_damage": warn}
    with progress_bar("claims") as bar:
        if page is None:
            answers, path = run_claims(numbers, progress=bar, **options), None
        else:
            report = write_claims(numbers, out=page, progress=bar, command=command, **options)
            answers, path = report.answers, report.path
    if json:
        documents = [
            {"number": a.claim.number, "name": a.claim.name, "statement": a.claim.statement, "verdict": a.verdict.value,
             "parts": [{"key": part.key, "says": part.says, "condition": part.condition, "expected": part.expected, "outcome": o.value,
                        **vars(a.findings.numbers.get(part.key, NOTHING))} for part, o in zip(a.claim.parts, a.outcomes, strict=True)],
             "remarks": a.findings.remarks}
            for a in answers
        ]  # fmt: skip
        counted = {"computed": sum(a.computed for a in answers), "read": sum(a.read for a in answers)}
        took = {str(a.claim.number): a.took._asdict() | {"cells": a.timed, "this_time": a.seconds} for a in answers}
        asked = {"preset": preset, "seed": seed, "claims": documents, "page": None if path is None else str(path)}
        print_json(asked, store=counted, took=took)
        return 0
    for answer in answers:
        rows = [
            [o.value, part.condition or "-", part.says, number(found.value), f"[{number(found.low, 4)}, {number(found.high, 4)}]"]
            for part, o, found in (
                (p, o, answer.findings.numbers.get(p.key, NOTHING)) for p, o in zip(answer.claim.parts, answer.outcomes, strict=True)
            )
        ]
        title = f"{answer.claim.number}. {answer.claim.statement}  -> {answer.verdict.value}"
        print_table(title, ("there?", "under", "quantity", "found", "interval"), rows, words=(0, 1, 2))
        print()
    print(counts(answers) + (f"; wrote {path}" if path else ""))
    return 0


def read_numbers(text: str) -> list[int] | None:
    """Numbers of ``--only``; None for none.

    >>> read_numbers("11, 20"), read_numbers("1-3"), read_numbers("")
    ([11, 20], [1, 2, 3], None)
    """
    from optlab.errors import InputError

    out: list[int] = []
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        first, dash, last = piece.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and not 0 <= int(last) - int(first) <= 100):
            raise InputError(f"--only {text}: {piece!r} is no number of a claim; give such as --only 11,20")
        out += range(int(first), int(last if dash else first) + 1)
    if text and not out:
        raise InputError(f"--only {text!r} names no claim; give such as --only 11,20")
    return out or None
