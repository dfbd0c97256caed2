"""``optlab verify``: property checks of rules."""

from __future__ import annotations

from typing import Annotated

import typer

from optlab.cli.options import rule_names
from optlab.cli.output import print_json, print_table, progress_bar


def verify(
    rule: Annotated[
        list[str] | None,
        typer.Argument(help="Rules to check (default: every built-in one).", show_default=False, autocompletion=rule_names),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the drawn gradient sequences.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    against: Annotated[
        str | None, typer.Option(help="Hold every dialect against the libraries themselves: torch,optax,keras.", show_default=False)
    ] = None,
    complete: Annotated[bool, typer.Option("--complete", help="With --against: exit code 1 if a library is not there.")] = False,
) -> int:
    """Check rules: generated code against the exact expression, precision, threads, simulation against theory.

    With --against: each dialect of each rule, schedule and normalization against the library itself, step by step.

    Exit code 1 if a check fails. Example: optlab verify mine.py:MINE
    """
    if against is not None:
        from optlab.cli.against import hold

        return hold(against, rule, seed, complete, json)
    if complete:
        from optlab.errors import InputError

        raise InputError("--complete asks for every library of --against: give --against torch,optax,keras with it")
    from optlab import rules
    from optlab.verify import check_rule

    chosen = [rules.get(name) for name in rule or rules.names()]
    results = []
    with progress_bar("verify") as bar:
        for number, each in enumerate(chosen):
            if bar:
                bar(number, len(chosen), each.name)
            results.append((each, check_rule(each, rng=seed, raises=False)))
    failed = sum(check.passed is False for _, checks in results for check in checks)
    if json:
        document = {each.label(): [{"check": c.name, "passed": c.passed, "detail": c.detail} for c in checks] for each, checks in results}
        print_json({"rules": document, "failed": failed})
    else:
        words = {True: "ok", False: "FAILED", None: "-"}
        rows = [
            (each.label() if i == 0 else "", c.name, words[c.passed], c.detail) for each, checks in results for i, c in enumerate(checks)
        ]
        print_table("", ("rule", "check", "", "detail"), rows, words=(0, 1, 2, 3))
        total = sum(len(checks) for _, checks in results)
        print(f"\n{total} checks, {failed} failed")
    return 1 if failed else 0
