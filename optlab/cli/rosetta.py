"""``optlab rosetta``: what in torch, optax or keras says the same as a rule, or as a call of another library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optlab.cli.options import definition_names
from optlab.cli.output import print_json, print_table, progress_bar

if TYPE_CHECKING:
    from optlab.rosetta.compare import Verdict


def rosetta(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A rule (adam), or a call such as 'torch.optim.RMSprop(lr=0.01, alpha=0.9)'. None: the whole matrix.",
            autocompletion=definition_names,
        ),
    ] = None,
    to: Annotated[str | None, typer.Option(help="The library to translate to: torch, optax or keras.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document; formulas read back with optlab.sympify.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Write the matrix as a page, every cell with its equations and proof.")] = False,
    out: Annotated[Path, typer.Option(help="With --report: the folder to write to.")] = Path("reports/rosetta"),
) -> int:
    """Say what is the same in another library: identical, equal after mapping hyper-parameters, or impossible, and why.

    Equality is proved by induction over the steps; where there is none, the shortest sequence of gradients that shows it is printed.

    Example: optlab rosetta "torch.optim.RMSprop(lr=0.01, alpha=0.9)" --to keras
    """
    from optlab.errors import InputError, UnknownNameError
    from optlab.libraries import LIBRARIES

    if to is not None and to not in LIBRARIES:
        raise UnknownNameError("library", to, LIBRARIES)
    if report:
        if what is not None or to is not None:
            raise InputError("--report writes the whole matrix: leave the rule and --to out")
        return _report(out, json)
    if what is None:
        if to is not None:
            raise InputError(f"nothing to translate to {to}: name a rule, or a call such as 'torch.optim.Adam(lr=0.001)'")
        return _matrix(json)
    return _translation(what, to, json)


def _matrix(json: bool) -> int:
    from optlab.libraries import LIBRARIES
    from optlab.rosetta.kept import matrix_documents, other_documents

    with progress_bar("rosetta") as progress:
        documents = matrix_documents(progress=progress)
        others = other_documents()
    if json:
        print_json({"pairs": documents, "counts": counts(documents), **others})
        return 0
    names = list(dict.fromkeys(document["rule"] for document in documents))
    cells = {(document["rule"], document["library"]): _cell(document) for document in documents}
    rows = [(name, *(cells[name, library] for library in LIBRARIES)) for name in names]
    print_table("each rule's own form in each library", ("rule", *LIBRARIES), rows, words=(0, 1, 2, 3))
    for kind, found_here in others.items():
        cells = {(document["source"], document["library"]): _cell(document) for document in found_here}
        names = list(dict.fromkeys(document["source"] for document in found_here))
        print()
        print_table(kind, ("", *LIBRARIES), [(name, *(cells[name, one] for one in LIBRARIES)) for name in names], words=(0, 1, 2, 3))
    found = counts(documents)
    print(f"\n{len(documents)} pairs of a rule and a library: " + ", ".join(f"{number} {kind}" for kind, number in found.items()))
    print("optlab rosetta RULE shows the maps, and where things part")
    return 0


def counts(documents: list[dict[str, Any]]) -> dict[str, int]:
    """How many pairs have which verdict."""
    return {kind: sum(document["verdict"] == kind for document in documents) for kind in ("identical", "mapped", "impossible")}


def _cell(document: dict[str, Any]) -> str:
    if document["verdict"] == "impossible":
        where = document.get("agree_where")
        return "impossible" + (f" unless {where}" if where else "" if document["call"] else ": no such call")
    aside = f" ({', '.join(document['conditions'])})" if document["conditions"] else ""
    return document["verdict"] + ("" if document["verdict"] == "identical" else f": {document['call']}{aside}")


def _translation(what: str, to: str | None, json: bool) -> int:
    from optlab.libraries import LIBRARIES
    from optlab.rosetta.compare import between_libraries, compare
    from optlab.rosetta.forms import read

    if (other := _other(what)) is not None:
        return _print_other(other, to, json)
    source = read(what)
    others = [to] if to else [library for library in LIBRARIES if library != source.form.library]
    verdicts = [compare(source, library) for library in others]
    if to is None and source.form.dialect is None and not source.form.base.bound:
        verdicts += between_libraries(source.form.base.name) if _is_plain(what) else []
    if json:
        print_json({"source": source.line(), "rule": source.form.rule.name, "translations": [v.document() for v in verdicts]})
        return 0
    for number, verdict in enumerate(verdicts):
        if number:
            print()
        _print(verdict, short=to is not None)
    return 0


def _other(what: str) -> Any:
    """The schedule or normalization that was typed, None if it is neither."""
    from optlab import norms, schedules
    from optlab.calls import parse_call
    from optlab.rosetta.forms import is_call
    from optlab.rosetta.norms import own_norm, read_norm
    from optlab.rosetta.schedules import own_schedule, read_schedule

    if is_call(what):
        return read_schedule(what) or read_norm(what)
    name = parse_call(what)[0]
    if name in schedules.names():
        return own_schedule(what)
    return own_norm(what.strip()) if name in norms.names() else None


def _print_other(source: Any, to: str | None, json: bool) -> int:
    from optlab.libraries import LIBRARIES
    from optlab.rosetta.norms import NormSetting, compare_norm
    from optlab.rosetta.schedules import compare_schedule

    others = [to] if to else [library for library in LIBRARIES if library != source.library]
    is_norm = isinstance(source, NormSetting)
    verdicts = [compare_norm(source, library) if is_norm else compare_schedule(source, library) for library in others]
    if json:
        print_json({"source": source.label, "translations": [verdict.document() for verdict in verdicts]})
        return 0
    for number, verdict in enumerate(verdicts):
        if number:
            print()
        aside = f", for {' and '.join(verdict.conditions)}" if verdict.conditions else ""
        print(f"{verdict.source} -> {verdict.library}: {verdict.kind}{aside}")
        line = verdict.line or verdict.call
        lines = {"": line, "map": verdict.map_text(), "why": verdict.why, "note": verdict.note if verdict.note != verdict.why else ""}
        for name, text in lines.items():
            if text:
                print(f"  {name:9}{text}" if name else f"  {text}")
        apart = getattr(verdict, "apart", None)  # a schedule's
        if apart:
            step, ours, theirs = apart
            print(f"  parts    step {step} (from 0): learning rate {ours:.6g} against {theirs:.6g}")
    return 0


def _is_plain(what: str) -> bool:
    from optlab import rules

    return what.strip() in rules.names()


def _print(verdict: Verdict, short: bool) -> None:
    same = f"{verdict.source.line()} -> {verdict.library}"
    if verdict.kind == "impossible":
        print(f"{same}: impossible{f' unless {verdict.agree_where}' if verdict.agree_where else ''}")
        print(f"  why      {verdict.why}")
        if verdict.line:
            print(f"  nearest  {verdict.line}")
        if verdict.parting:
            print(f"  parts    {verdict.parting.text()}")
        return
    aside = f", for {' and '.join(verdict.conditions)}" if verdict.conditions else ""
    if short:
        print(verdict.line)
        print(f"  {verdict.kind}{aside}")
    else:
        print(f"{same}: {verdict.kind}{aside}")
        print(f"  {verdict.line}")
    if verdict.map_text():
        print(f"  map      {verdict.map_text()}")
    print(f"  proof    {_proof(verdict)}")
    if verdict.parting:
        print(f"  parts    {verdict.parting.text()}")


def _proof(verdict: Verdict) -> str:
    from optlab.printing import text

    if verdict.proof is None or not verdict.proof.holds:
        return "none found: the two agree on drawn numbers to ten digits"
    states = ", ".join(f"{key} = {text(value)}" for key, value in verdict.proof.states.items())
    point = text(verdict.proof.point)
    return (
        "by induction over the steps" + (f", with states {states}" if states else "") + (f"; theta = {point}" if point != "theta" else "")
    )


def _report(out: Path, json: bool) -> int:
    from optlab.reporting.rosetta import rosetta_report

    command = "optlab rosetta --report" + ("" if out == Path("reports/rosetta") else f" --out {out}")
    with progress_bar("rosetta") as progress:
        result = rosetta_report(out=out, progress=progress, command=command)
    if json:
        print_json({"report": str(result.path), "findings": list(result.findings)})
        return 0
    for line in result.findings:
        print(f"- {line}")
    print(f"{result.path} written in {result.duration:.0f} s")
    return 0
