"""One command per experiment: a spec in, a netCDF file, a figure and a table out."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from optlab.cli.options import ClusterOption, StoreOption
from optlab.cli.output import print_json, print_table, progress_bar, warn
from optlab.experiments.catalog import QUESTIONS


def command(name: str) -> Callable[..., int]:
    """The command that runs one experiment."""

    def run(
        spec: Annotated[Path | None, typer.Argument(help="A TOML spec; without one, the defaults.", show_default=False)] = None,
        preset: Annotated[str | None, typer.Option(help="Another spec by name.", show_default=False)] = None,
        key: Annotated[
            list[str] | None, typer.Option("--set", help="A key of the spec, such as seed=1 or kappas=[10,100].", show_default=False)
        ] = None,
        data_dir: Annotated[
            Path | None,
            typer.Option(
                "--data-dir", help="Folder of the CIFAR-10 files, for experiments on images (default: $OPTLAB_DATA).", show_default=False
            ),
        ] = None,
        store: StoreOption = None,
        cluster: ClusterOption = None,
        out: Annotated[
            Path | None, typer.Option(help="netCDF file to write; the figure goes beside it as .png.", show_default=False)
        ] = None,
        report: Annotated[
            Path | None, typer.Option(help="A folder to write a page to, in place of --out's files.", show_default=False)
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
    ) -> int:  # fmt: skip
        keys = [*(key or []), *([f"data_dir='{data_dir}'"] if data_dir else [])]
        return ask(name, spec, preset, keys, store, cluster, out or (None if report else Path(f"{name}.nc")), json, report)

    run.__name__ = name
    run.__doc__ = f"""{QUESTIONS[name]}

    Interrupted, the same command goes on. Example: optlab {name} --out {name}.nc
    """
    return run


def ask(
    name: str,
    spec: Path | None,
    preset: str | None,
    keys: list[str],
    store: Path | None,
    cluster: str | None,
    out: Path | None,
    json: bool,
    report: Path | None = None,
) -> int:
    """Run one experiment and show what it found."""
    from optlab.cli.values import check_output
    from optlab.ensemble.netcdf import to_netcdf
    from optlab.errors import OptlabError
    from optlab.files import mend, write_atomically
    from optlab.reporting.experiment import figure_of, write_page
    from optlab.reporting.style import style

    if out:
        check_output(out)
    experiment = import_module(f"optlab.experiments.questions.{name}").EXPERIMENT
    with progress_bar(name) as bar:
        result = experiment(spec, preset=preset, store=store, cluster=cluster, progress=bar, on_damage=warn, **dict(map(read_key, keys)))
    written: dict[str, str] = {}
    try:
        if out:
            figure = out.with_suffix(".png")
            write_atomically(out, to_netcdf(result))
            with style():
                figure_of(name, result).savefig(figure, dpi=140)
            written = {"output": str(out), "figure": str(figure)}
        if report:
            written["report"] = str(write_page(experiment, result, report, _typed(name, spec, preset, keys, report)))
    except OSError as error:
        raise OptlabError(f"cannot write {error.filename or out or report}: {error.strerror}; {mend(error)}") from None
    findings, counts = (
        experiment.findings(result),
        {"store": {"computed": result.attrs["cells_computed"], "read": result.attrs["cells_read"]}},
    )
    if json:
        document: dict[str, Any] = {
            "experiment": name,
            "spec": experiment.read(spec, preset=preset, **dict(map(read_key, keys))).model_dump(mode="json"),
        }
        document |= {str(coord): result[coord].values for coord in result.coords} | {str(v): result[v].values for v in result.data_vars}
        print_json(document | {"findings": findings} | written, **counts)
        return 0
    for table in experiment.tables(result):
        print_table(table.title, table.headers, table.rows, table.words)
    for finding in findings:
        print("- " + finding)
    told = f"({counts['store']['computed']} cells computed, {counts['store']['read']} read from the store)"
    print(f"wrote {' and '.join(written.values())}  {told}")
    return 0


def _typed(name: str, spec: Path | None, preset: str | None, keys: list[str], report: Path) -> str:
    """The command as it can be typed again."""
    words = ["optlab", name, *([str(spec)] if spec else []), *(["--preset", preset] if preset else [])]
    return shlex.join([*words, *(word for key in keys for word in ("--set", key)), "--report", str(report)])


def read_key(text: str) -> tuple[str, Any]:
    """``name=value`` of ``--set``; the value is read as TOML, or is a plain word.

    >>> read_key("kappas=[10, 100]"), read_key("spectrum=log")
    (('kappas', [10, 100]), ('spectrum', 'log'))
    """
    import tomllib

    from optlab.errors import InputError

    name, given, value = text.partition("=")
    if not given or not name.strip():
        raise InputError(f"--set {text}: give name=value, such as --set seed=1")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        return name.strip(), value.strip()
