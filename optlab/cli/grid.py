"""``optlab grid``: optimizer x learning rate x schedule, trained and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optlab.cli.options import BackendOption, ClusterOption, DataDirOption, LabelOption, StoreOption, ThreadsOption
from optlab.cli.output import print_json, progress_bar, warn


def grid(
    spec: Annotated[Path | None, typer.Argument(help="A TOML spec; without one, the preset.", show_default=False)] = None,
    preset: Annotated[
        str, typer.Option(help="quick (minutes: a small net on a subset) or full (the whole assignment: days on a CPU).")
    ] = "quick",
    data_dir: DataDirOption = None,
    label: LabelOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to (default: reports/cifar10, or reports/NAME for NAME.toml).", show_default=False)
    ] = None,
    store: StoreOption = None,
    cluster: ClusterOption = None,
    backend: BackendOption = "cpu",
    precision: Annotated[
        str | None, typer.Option(help="full, or bf16: ResNets on CUDA's tensor cores (default: the spec's, else full).", show_default=False)
    ] = None,
    threads: ThreadsOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print the results as one JSON document.")] = False,
) -> int:
    """Which optimizer with which schedule wins? Train every setting, repeat the best on more seeds, write a report.

    Interrupted, the same command goes on. Example: optlab grid --preset quick --data-dir data
    """
    from optlab.reporting.grid import grid as write_grid

    chosen = out or Path("reports") / (spec.stem if spec else "cifar10")
    parts = [
        "optlab grid",
        str(spec) if spec else f"--preset {preset}",
        f"--out {out}" if out else "",
        f"--label '{label}'" if label else "",
        f"--backend {backend}" if backend != "cpu" else "",
        f"--precision {precision}" if precision else "",
    ]
    with progress_bar("grid") as bar:
        result = write_grid(
            spec, preset=preset, data_dir=data_dir, label=label, out=chosen, store=store, cluster=cluster, threads=threads,
            backend=backend, precision=precision, progress=bar, on_damage=warn,
            command=" ".join(filter(None, parts)),
        )  # fmt: skip
    if json:
        print_json(result.numbers, elapsed=round(result.duration, 3))
        return 0
    import re

    for finding in result.findings:
        print("- " + re.sub(r"<[^>]*>", "", finding))
    print(f"\n{result.path}  ({result.duration:.0f} s, {result.computed} cells computed, {result.read} read from the store)")
    return 0
