"""``optlab runs``: what the store of finished cells holds; showing, exporting, cleaning it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optlab.cli.options import StoreOption, command, epilog, show_help
from optlab.cli.output import number, print_json, print_table, progress_bar, warn

if TYPE_CHECKING:
    from optlab.experiments.runs import Run
    from optlab.experiments.store import Store

app = typer.Typer(
    help="Finished cells in the store: list, show, export, clean.",
    epilog=epilog("optlab runs list --rule adam"),
    callback=show_help,
    invoke_without_command=True,
)
KindOption = Annotated[str | None, typer.Option(help="Only this kind: simulate, predict, training, ...", show_default=False)]
RuleOption = Annotated[str | None, typer.Option(help="Only rules whose label holds this.", show_default=False)]
TextOption = Annotated[str | None, typer.Option(help="Only cells whose spec holds this text.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@command(app, "list")
def list_runs(
    kind: KindOption = None, rule: RuleOption = None, text: TextOption = None, store: StoreOption = None, json: JsonOption = False
) -> int:
    """Every cell, the newest first: what was run and how long, its id, what computing it took, its size.

    Example: optlab runs list --rule adam --text "condition_number=1000"
    """
    from optlab.experiments.runs import SHORT, runs

    held = _opened(store)
    found = runs(held, kind=kind, rule=rule, text=text)
    total = sum(run.size for run in found)
    if json:
        print_json({"runs": [_document(run) for run in found], "cells": len(found), "bytes": total}, store=str(held.folder))
        return 0
    if found:
        rows = [
            (run.id[:SHORT], run.kind, run.rule, run.problem, _count(run.trajectories), run.steps, _took(run), size(run.size), _date(run))
            for run in found
        ]
        headers = ("id", "kind", "rule", "problem", "trajectories", "steps", "took", "size", "date (UTC)")
        print_table("", headers, rows, words=(0, 1, 2, 3))
    chosen = " such" if kind or rule or text else ""
    print(f"{len(found):,}{chosen} cells, {size(total)}, in {held.folder}")
    return 0


@command(app)
def show(
    id: Annotated[str, typer.Argument(help="The first digits of its id, as `optlab runs list` shows them.", metavar="ID")],
    store: StoreOption = None,
    json: JsonOption = False,
) -> int:
    """One cell: the spec that its numbers depend on, and what they are. The file is checked.

    Example: optlab runs show 3fa2
    """
    import numpy as np

    from optlab.experiments.runs import find, load

    held = _opened(store)
    run = find(held, id)
    data = load(held, run)
    values = {}
    for name, variable in data.variables.items():
        about: dict[str, Any] = {"dims": dict(variable.sizes), "dtype": str(variable.dtype)}
        array = variable.values
        if array.dtype.kind in "fiu" and array.size:
            finite = array[np.isfinite(array)]
            about |= {"finite": int(finite.size), "first": float(array.flat[0]), "last": float(array.flat[-1])}
            about |= {"min": float(finite.min()), "max": float(finite.max())} if finite.size else {"min": None, "max": None}
        values[str(name)] = about
    if json:
        print_json(_document(run) | {"spec": run.spec, "values": values}, store=str(held.folder))
        return 0
    spec = [(key, _short(value)) for key, value in run.spec.items()]
    took = [("took", _took(run)), ("processor time", f"{number(run.took.processor, 3)} s")] if run.took else []
    print_table("", ("", ""), [("id", run.id), *spec, *took, ("size", size(run.size)), ("written (UTC)", _date(run))], words=(0, 1))
    rows = [
        (
            name, ", ".join(f"{dim} {length}" for dim, length in about["dims"].items()) or "-", about["dtype"],
            *(number(about.get(key)) for key in ("min", "max", "first", "last")),
        )
        for name, about in values.items()
    ]  # fmt: skip
    print()
    print_table("", ("values", "dimensions", "type", "least", "greatest", "first", "last"), rows, words=(0, 1, 2))
    return 0


@command(app)
def export(
    ids: Annotated[
        list[str] | None, typer.Argument(help="First digits of ids; several, or --all.", metavar="ID...", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every cell (that the filters leave).")] = False,
    format: Annotated[
        str, typer.Option(help="netcdf (a file for each cell), csv (one table, a line for each number) or tensorboard.")
    ] = "netcdf",
    out: Annotated[
        Path | None, typer.Option(help="File or folder to write (default: ID.nc, runs/, runs.csv or tensorboard/).", show_default=False)
    ] = None,
    kind: KindOption = None,
    rule: RuleOption = None,
    text: TextOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> int:
    """Write cells for other programs, each checked.

    Example: optlab runs export --all --kind simulate --format csv --out runs.csv
    """
    from optlab.errors import InputError, UnknownNameError
    from optlab.experiments.exports import export_csv, export_netcdf, export_tensorboard
    from optlab.experiments.runs import SHORT, find, runs

    if format not in ("netcdf", "csv", "tensorboard"):
        raise UnknownNameError("format", format, ("netcdf", "csv", "tensorboard"))
    if bool(ids) == everything:
        raise InputError("say which cells: their ids, or --all (`optlab runs list` shows them)")
    if ids and (kind or rule or text):
        raise InputError("--kind, --rule and --text choose among --all: leave them out where ids are given")
    if out is not None and format == "csv" and out.is_dir():
        raise InputError(f"--out {out} is a folder: name the CSV file")
    held = _opened(store)
    chosen = runs(held, kind=kind, rule=rule, text=text) if everything else [find(held, id) for id in dict.fromkeys(ids or [])]
    if not chosen:
        raise InputError(f"no such cell in {held.folder}: `optlab runs list` shows what is there")
    left: list[str] = []
    with progress_bar("export") as bar:
        if format == "tensorboard":
            written, left = export_tensorboard(held, chosen, out or Path("tensorboard"), bar)
            said = f"wrote {len(written):,} runs to {out or Path('tensorboard')}: tensorboard --logdir {out or Path('tensorboard')}"
        elif format == "csv":
            path = out or Path("runs.csv")
            lines = export_csv(held, chosen, path, bar)
            written, said = [path], f"wrote {path}: {lines:,} numbers of {len(chosen):,} cells"
        else:
            written = export_netcdf(held, chosen, out or Path(f"{chosen[0].id[:SHORT]}.nc" if ids and len(chosen) == 1 else "runs"), bar)
            said = f"wrote {written[0]}" if len(written) == 1 else f"wrote {len(written):,} files to {written[0].parent}"
    if json:
        print_json(
            {"files": list(map(str, written)), "cells": len(chosen)} | ({"left_out": left} if format == "tensorboard" else {}),
            store=str(held.folder),
        )
    else:
        print(said)
        if left:
            print(f"left out: {', '.join(left)}")
    return 0


@command(app)
def clean(
    older_than: Annotated[
        float | None, typer.Option(help="Also what was written more days ago.", metavar="DAYS", min=0, show_default=False)
    ] = None,
    engine: Annotated[bool, typer.Option("--engine", help="Also cells of another engine than today's: nothing reads these.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> int:
    """Check every file; delete damaged ones and what killed writers left an hour ago or longer. It says what it deletes.

    Example: optlab runs clean --engine --dry-run
    """
    from optlab.experiments.runs import clean as delete
    from optlab.experiments.runs import rubbish

    held = _opened(store)
    with progress_bar("clean") as bar:
        found = rubbish(held, older_than=older_than, outdated=engine, progress=bar)
    if not dry_run:
        delete(found)
    total = sum(item.size for item in found)
    if json:
        files = [{"file": str(item.path.relative_to(held.folder)), "why": item.why, "bytes": item.size} for item in found]
        print_json({"files": files, "bytes": total, "deleted": not dry_run}, store=str(held.folder))
        return 0
    if found:
        rows = [(item.path.relative_to(held.folder), size(item.size), item.why) for item in found]
        print_table("", ("file", "size", "why"), rows, words=(0, 2))
    print(f"{'would delete' if dry_run else 'deleted'} {len(found):,} files, {size(total)}, in {held.folder}")
    return 0


def size(count: float) -> str:
    """Bytes for a reader.

    >>> size(0), size(13440), size(2_500_000)
    ('0 B', '13.4 kB', '2.5 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _opened(folder: Path | None) -> Store:
    from optlab.errors import InputError
    from optlab.experiments.store import Store, default_store

    if folder is not None and not folder.is_dir():
        raise InputError(f"there is no store {str(folder)!r}: name its folder (--store), or leave it out for that of your cache folder")
    return Store(folder or default_store(), warn)


def _document(run: Run) -> dict[str, Any]:
    return {
        "id": run.id, "kind": run.kind, "rule": run.rule, "problem": run.problem, "trajectories": run.trajectories, "steps": run.steps,
        "seconds": run.took and run.took.seconds, "processor_seconds": run.took and run.took.processor,
        "bytes": run.size, "written": _date(run), "file": str(run.path),
    }  # fmt: skip


def _date(run: Run) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(run.written, UTC).strftime("%Y-%m-%d %H:%M")


def _took(run: Run) -> str:
    return "-" if run.took is None else f"{number(run.took.seconds, 3)} s"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 100 else f"{text[:80]} ... ({len(value) if isinstance(value, list) else len(text)} in all)"
