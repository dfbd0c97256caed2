"""The report of a training grid: curves, tables, the answer with its uncertainty, and what was run."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from markupsafe import Markup

from optlab._version import __version__
from optlab.experiments.cluster import connected
from optlab.experiments.grid import Entry, Grid, run_grid
from optlab.experiments.grid_spec import GridSpec, read_grid
from optlab.experiments.store import Store, default_store
from optlab.experiments.sweep import Progress
from optlab.nn.trainer import check_precision
from optlab.reporting.figures.grid import draw_finals, draw_settings
from optlab.reporting.html import number, table
from optlab.reporting.page import Page, versions
from optlab.reporting.style import style


@dataclass(frozen=True)
class GridReport:
    """A written report of a grid."""

    path: Path
    grid: Grid
    findings: tuple[str, ...]  #: HTML
    numbers: dict[str, Any]  #: what ``--json`` prints
    duration: float
    computed: int
    read: int


def grid(
    spec: GridSpec | dict[str, Any] | str | Path | None = None, *, preset: str = "quick", data_dir: str | os.PathLike[str] | None = None,
    label: str | None = None, out: str | Path = "reports/cifar10", store: str | Path | None = None, threads: int | None = None,
    cluster: str | None = None, backend: str = "cpu", precision: str | None = None, progress: Progress | None = None, on_damage: Any = None,
    command: str = "optlab grid",
) -> GridReport:  # fmt: skip
    """Train every setting of a grid (optimizer, learning rate, schedule, model), compare, and write ``out/index.html``.

    Parameters
    ----------
    spec, preset
        A TOML file, a dict or a :class:`~optlab.experiments.grid_spec.GridSpec`; without one, the preset ``"quick"`` or ``"full"``.
    data_dir, label
        Where the files are (default: ``$OPTLAB_DATA``); what results are labeled with, if they are not the official ones.
    out, store
        The folder to write to; where finished cells are kept. An interrupted grid goes on from there, in the middle of a run too.
    threads
        Worker threads (default: all cores); results do not depend on it.
    cluster
        The address of a Dask scheduler (``tcp://host:8786``) whose workers train; they find the images in ``data_dir`` or their own
        ``$OPTLAB_DATA``.
    backend
        ``"cpu"``, ``"cuda"``, or ``"auto"``: CUDA where a device answers.
    precision
        ``"full"`` or ``"bf16"`` (ResNets on CUDA), instead of the spec's.

    Raises InputError for a bad spec or bad data, before anything is trained; Interrupted after Ctrl-C.
    """
    started = time.perf_counter()
    asked = read_grid(spec, preset)
    if label is not None:
        asked = asked.model_copy(update={"label": label})
    if precision is not None:
        check_precision(precision, "cuda")
        asked = asked.model_copy(update={"precision": precision})
    page = Page(Path(out))
    kept = Store(store or default_store(), on_damage)
    with connected(cluster) as machines:
        found, run = run_grid(asked, folder=data_dir, store=kept, threads=threads, backend=backend, progress=progress, cluster=machines)
    findings = _findings(found)
    with style():
        context = {
            "title": asked.title, "findings": findings, "data": found.data, "spec": asked, "sizes": found.sizes,
            "settings": page.figure("settings", draw_settings(found), "Validation accuracy by epoch of every setting, a panel per rule"),
            "finals": page.figure("finals", draw_finals(found), "Validation accuracy by epoch of each rule's best setting"),
            "finals_table": _finals_table(found), "settings_table": _settings_table(found), "ran": _ran(found),
            "version": __version__,
        }  # fmt: skip
    page.data("runs", dataset(found))
    duration = time.perf_counter() - started
    context["made"] = {
        "command": command, "computed": run.computed, "read": run.read, "duration": _spent(duration), "versions": versions(),
        "spec": asked.model_dump_json(indent=2), "files": page.files,
    }  # fmt: skip
    path = page.page("grid.html.j2", context)
    numbers = _numbers(found) | {"report": str(path)}
    return GridReport(path, found, tuple(map(str, findings)), numbers, duration, run.computed, run.read)


def dataset(grid: Grid) -> xr.Dataset:
    """Every curve of the grid and of the finals, with its setting."""
    names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "gradient_norm", "update_ratio", "learning_rate")
    out: dict[str, Any] = {}
    for kind, entries in (("setting", grid.entries), ("final", grid.finals)):
        runs = [(entry, seed, run) for entry in entries for seed, run in zip(entry.seeds, entry.runs, strict=True)]
        for name in names:
            out[f"{kind}_{name}"] = ((f"{kind}_run", f"{kind}_epoch"), np.stack([run[name].values for _, _, run in runs]))
        for field in ("model", "rule", "schedule", "alpha"):
            out[f"{kind}_{field}"] = (f"{kind}_run", [getattr(entry.setting, field) for entry, _, _ in runs])
        out[f"{kind}_seed"] = (f"{kind}_run", [seed for _, seed, _ in runs])
    return xr.Dataset(
        out,
        attrs={"title": grid.spec.title, "preset": grid.spec.preset, "data": grid.data, **grid.sizes, "source": f"optlab {__version__}"},
    )


def percent(values: np.ndarray | float, digits: int = 1) -> str:
    """Mean and standard deviation (divisor n - 1) in percent: ``51.6 ± 0.8``; a dash where a value is missing.

    >>> percent(np.array([0.5, 0.52])), percent(0.5)
    ('51.0 ± 1.4', '50.0')
    """
    array = 100 * np.atleast_1d(np.asarray(values, float))
    if not np.isfinite(array).all():
        return "–"
    spread = f" ± {array.std(ddof=1):.{digits}f}" if len(array) > 1 else ""
    return f"{array.mean():.{digits}f}{spread}"


def _findings(grid: Grid) -> list[Markup]:
    spec, winner = grid.spec, grid.winner
    many = len(winner.seeds) > 1
    over = f"mean ± standard deviation over {len(winner.seeds)} seeds" if many else "one seed"
    out = [
        Markup(
            "<strong>{}</strong> does best on {}: {} % of the validation part right at its best epoch, {} % after the last ({})."
        ).format(winner.setting.label(), grid.data, percent(winner.best), percent(winner.last), over)
    ]
    for gap in grid.differences:
        name = gap.other.setting.label() if len(spec.models) == 1 else f"{gap.other.setting.model}: {gap.other.setting.label()}"
        if not many:
            out.append(Markup("It is {} points better than {}, on one seed: no uncertainty can be given.").format(_points(gap.mean), name))
            continue
        sure = gap.low > 0
        verdict = "better than" if sure else "not told apart, with so few seeds, from"
        out.append(
            Markup("It is {} <strong>{}</strong>: {} points, paired by seed; interval [{}, {}], 95 % for all at once.").format(
                verdict, name, _points(gap.mean), _points(gap.low), _points(gap.high)
            )
        )
    accuracy = np.array([value for _, value in grid.tests])
    out.append(
        Markup("On the {:,} test images, looked at once: {} % right with the weights of the best epoch.").format(
            grid.sizes["test"], percent(accuracy)
        )
    )
    if grid.baseline is not None:
        margin = 100 * float(winner.best.mean() - grid.baseline.best[0])
        line = "The best linear softmax on the same images has {} % of the validation part right; the winner is {} points better."
        out.append(Markup(line).format(percent(grid.baseline.best), number(margin, 3)))
    if spec.preset != "full":
        what = "Smaller than the full assignment: {} on {:,} training images, {} epochs to choose each rule's setting, {} to compare."
        out.append(Markup(what).format(", ".join(spec.models), grid.sizes["training"], spec.epochs, spec.last_epochs))
    return out


def _points(value: float) -> str:
    return f"{100 * value:.1f}".replace("-", "−")


def _finals_table(grid: Grid) -> Markup:
    heads = ("model", "rule", "schedule", "learning rate", "seeds", "best epoch, %", "last epoch, %", "best epochs", "lead over it, points")
    leads = {id(gap.other): f"{_points(gap.mean)} [{_points(gap.low)}, {_points(gap.high)}]" for gap in grid.differences}
    rows = []
    for entry in grid.finals:
        at = ", ".join(str(int(run.best_epoch)) for run in entry.runs)
        rows.append((*_name(entry), len(entry.seeds), percent(entry.best), percent(entry.last), at, leads.get(id(entry), "–")))
    return table(heads, rows, text=(0, 1, 2), caption="Each rule's best setting")


def _settings_table(grid: Grid) -> Markup:
    heads = ("model", "rule", "schedule", "learning rate", "best epoch, %", "last epoch, %", "validation loss, last", "diverged")
    rows = []
    for entry in sorted(grid.entries, key=lambda entry: -float(entry.best.mean())):
        loss = float(np.mean([float(run.validation_loss[-1]) for run in entry.runs]))
        diverged = f"{entry.diverged} of {len(entry.runs)}" if entry.diverged else "–"
        rows.append((*_name(entry), percent(entry.best), percent(entry.last), number(loss, 3), diverged))
    return table(heads, rows, text=(0, 1, 2), caption="Every setting")


def _name(entry: Entry) -> tuple[str, str, str, str]:
    setting = entry.setting
    return setting.model, setting.rule, setting.schedule, f"{setting.alpha:g}"


def _ran(grid: Grid) -> Markup:
    spec, sizes = grid.spec, grid.sizes
    models = "; ".join(f"{name} ({count:,} parameters)" for name, count in grid.parameters.items())
    spent = sum(float(run.attrs["elapsed"]) for entry in (*grid.entries, *grid.finals) for run in entry.runs)
    rows = [
        ("images", grid.data),
        ("training, validation, test", f"{sizes['training']:,}, {sizes['validation']:,}, {sizes['test']:,}"),
        ("models", models),
        ("batch", f"{spec.batch}"),
        ("epochs to choose, to compare", f"{spec.epochs}, {spec.last_epochs}"),
        ("seeds to choose, to compare", f"{_list(spec.seeds)}; {_list([*spec.seeds, *spec.final_seeds])}"),
        ("augmentation", "crops of the image with a border of 4 pixels, mirror images" if spec.augment else "none"),
        ("weight decay", "on every parameter" if spec.decay_all else "not on norms and biases"),
        ("precision", spec.dtype + (", convolutions and activations in bfloat16" if spec.precision == "bf16" else "")),
        ("machine of this page", machine()),
        ("time spent training", _spent(spent)),
    ]
    return table(("", ""), rows, text=(0, 1), caption="What was run")


def _list(values: Any) -> str:
    return ", ".join(map(str, dict.fromkeys(values)))


def machine() -> str:
    """The processor and the cores that may be used."""
    import llvmlite.binding as llvm

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{llvm.get_host_cpu_name()}, {cores} cores, {platform.system()} {platform.machine()}"


def _spent(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _numbers(grid: Grid) -> dict[str, Any]:
    def plain(entry: Entry) -> dict[str, Any]:
        setting = entry.setting
        return {
            "model": setting.model, "rule": setting.rule, "schedule": setting.schedule, "alpha": setting.alpha, "seeds": entry.seeds,
            "best": entry.best, "last": entry.last, "best_epoch": [int(run.best_epoch) for run in entry.runs], "diverged": entry.diverged,
        }  # fmt: skip

    return {
        "data": grid.data, "preset": grid.spec.preset, **grid.sizes, "epochs": grid.spec.epochs, "final_epochs": grid.spec.last_epochs,
        "settings": [plain(entry) for entry in grid.entries], "finals": [plain(entry) for entry in grid.finals],
        "baseline": None if grid.baseline is None else plain(grid.baseline),
        "differences": [{"rule": gap.other.setting.rule, "mean": gap.mean, "low": gap.low, "high": gap.high} for gap in grid.differences],
        "test_accuracy": [value for _, value in grid.tests], "test_loss": [value for value, _ in grid.tests],
    }  # fmt: skip
