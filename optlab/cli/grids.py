"""What ``optlab simulate --axis`` writes, draws and prints: one ensemble per point of a grid."""

from __future__ import annotations

from json import loads
from pathlib import Path
from typing import Any

import numpy as np

from optlab.cli.output import number, print_json, print_table

CURVES = 9  #: the most that one figure shows


def show_grid(run: Any, out: Path, json: bool) -> int:
    """Write the grid, draw its losses by step (few points) or its final losses (many), and print one line per point."""
    from optlab.ensemble.netcdf import to_netcdf
    from optlab.errors import OptlabError
    from optlab.files import mend, write_atomically

    axes: dict[str, list[Any]] = loads(run.attrs["axes"])
    points = list(np.ndindex(*(len(values) for values in axes.values())))
    try:
        write_atomically(out, to_netcdf(run))
        _draw(run, axes, points, out.with_suffix(".png"))
    except OSError as error:
        raise OptlabError(f"cannot write {error.filename or out}: {error.strerror}; {mend(error)}") from None
    if json:
        keys = [key for key in run.data_vars if run[key].dims[: len(axes)] == tuple(axes)]
        document = {key: run.attrs[key] for key in ("rule", "problem", "schedule", "steps", "trajectories", "batch", "seed", "dtype")}
        document |= {"axes": axes, "step": run.step.values} | {str(key): run[key].values for key in keys}
        print_json(document | {"output": str(out), "figure": str(out.with_suffix(".png"))})
        return 0
    rows = []
    for point in points:
        cell = run.isel(dict(zip(axes, point, strict=True)))
        last = cell.isel(step=-1)
        row: list[object] = [values[k] for values, k in zip(axes.values(), point, strict=True)]
        row += [number(float(last.loss_mean)), number(1.96 * float(last.loss_standard_error), 2), int(last.diverged)]
        row += [number(float(cell.passage_quantile.isel(level=k).sel(quantile=0.5, method="nearest"))) for k in range(len(_levels(cell)))]
        rows.append(row)
    heads = [*axes, f"loss at step {int(run.step[-1])}", "± 95 %", "diverged", *(f"steps to {level:g}" for level in _levels(run))]
    print_table(
        f"{run.attrs['trajectories']:,} runs each of {run.attrs['rule'].partition('(')[0]}; medians of steps", heads, rows, words=()
    )
    print(f"wrote {out} and {out.with_suffix('.png')} (no exact predictions on a grid: ask for one point without --axis)")
    return 0


def _levels(run: Any) -> list[float]:
    return [float(level) for level in run.level.values] if "passage_quantile" in run else []


def _draw(run: Any, axes: dict[str, list[Any]], points: list[tuple[int, ...]], path: Path) -> None:
    from optlab.reporting.style import new_figure, style

    with style():
        figure = new_figure(7.6, 5.0)
        ax = figure.subplots()
        names = list(axes)
        if len(points) <= CURVES:
            for point in points:
                cell = run.isel(dict(zip(axes, point, strict=True)))
                ax.plot(cell.step, cell.loss_mean, label=", ".join(f"{n} = {axes[n][k]}" for n, k in zip(names, point, strict=True)))
            ax.set(xlabel="step", ylabel="mean loss", yscale="log" if float(run.loss_mean.min()) > 0 else "linear")
        else:
            first, others = axes[names[0]], [axes[n] for n in names[1:]]
            final = run.loss_mean.isel(step=-1).values.reshape(len(first), -1)
            labels = list(np.ndindex(*(len(values) for values in others)))
            for k in range(min(final.shape[1], CURVES)):
                text = ", ".join(f"{n} = {v[j]}" for n, v, j in zip(names[1:], others, labels[k], strict=True))
                ax.plot(range(len(first)), np.where(np.isfinite(final[:, k]), final[:, k], np.nan), "o-", label=text)
            ax.set_xticks(range(len(first)), [str(value) for value in first])
            positive = np.isfinite(final).any() and np.nanmin(np.where(np.isfinite(final), final, np.nan)) > 0
            ax.set(xlabel=names[0], ylabel=f"mean loss at step {int(run.step[-1])}", yscale="log" if positive else "linear")
            if final.shape[1] > CURVES:
                ax.set_title(f"the first {CURVES} of {final.shape[1]} curves; all are in the file")
        ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.savefig(path, dpi=140, bbox_inches="tight")
