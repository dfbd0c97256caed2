"""Variance, floor, steps and learning rates against the batch size."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, THEORY, new_figure

MARKS = {"replacement": "o", "subset": "s", "reshuffle": "^", "best": "o", "linear": "s", "sqrt": "^"}
NAMES = {"best": "best for each B", "linear": "∝ B", "sqrt": "∝ √B"}


def draw(data: xr.Dataset) -> Figure:
    """The four panels."""
    figure = new_figure(8.8, 6.8)
    (variance, floor), (steps, rates) = figure.subplots(2, 2)
    _by_sampling(variance, data, "variance", "variance of the mini-batch gradient")
    _by_sampling(floor, data, "floor", "loss above the minimum that is settled at")
    _steps(steps, data)
    _rates(rates, data)
    for ax in (variance, floor, steps, rates):
        ax.set(xscale="log", yscale="log", xlabel="batch size B")
        ax.set_xscale("log", base=2)
        ax.minorticks_off()
    return figure


def _by_sampling(ax: Axes, data: xr.Dataset, name: str, title: str) -> None:
    least = float(data[f"{name}_exact"].max()) * 1e-8  # nothing but rounding is left where the batch is the table
    for i, sampling in enumerate(data.sampling.values):
        row = data.sel(sampling=sampling)
        measured = row[name].where(row[name] > least).values
        ax.errorbar(
            row.batch.values, measured, row[f"{name}_half"].values, color=COLORS[i], marker=MARKS[str(sampling)], markersize=4,
            linewidth=1.3, elinewidth=1, label=str(sampling),
        )  # fmt: skip
        exact = row[f"{name}_exact"].where(row[f"{name}_exact"] > least).values
        ax.plot(row.batch.values, exact, color="black", linewidth=1, label="exact" if i == 0 else None, **THEORY)
    ax.set_title(title)
    ax.legend(loc="lower left")


def _steps(ax: Axes, data: xr.Dataset) -> None:
    batch = data.batch.values
    for i, scaling in enumerate(data.scaling.values):
        row = data.sel(scaling=scaling)
        reached = np.isfinite(row.steps.values)
        high = np.where(np.isfinite(row.steps_high.values), row.steps_high.values, row.steps.values)[reached]
        ax.plot(batch[reached], row.steps.values[reached], color=COLORS[i], marker=MARKS[str(scaling)], markersize=4, linewidth=1.3,
                label=f"learning rate {NAMES[str(scaling)]}")  # fmt: skip
        ax.vlines(batch[reached], row.steps_low.values[reached], high, color=COLORS[i], linewidth=1)
        ax.plot(batch, np.where(np.isfinite(row.steps_exact), row.steps_exact, np.nan), color="black", linewidth=1, **THEORY)
    at = data.attrs
    fit = at["least_steps"] * (1 + at["critical_batch"] / batch)
    ax.plot(batch, fit, color="#7F7F7F", linestyle=":", label=f"S (1 + B_crit/B), B_crit = {at['critical_batch']:.3g}")
    ax.axvline(at["critical_batch"], color="#7F7F7F", linewidth=0.8, linestyle=":")
    ax.set_title("steps to the level (dashed: exact)")
    ax.legend(loc="upper right")


def _rates(ax: Axes, data: xr.Dataset) -> None:
    batch, limit = data.batch.values, data.limit.values
    for i, scaling in enumerate(data.scaling.values):
        name = str(scaling)
        ax.plot(
            batch,
            data.rate.sel(scaling=scaling).values,
            color=COLORS[i],
            marker=MARKS[name],
            markersize=4,
            linewidth=1.3,
            label=NAMES[name],
        )
    ax.fill_between(batch, limit, 4 * limit.max(), color="#D55E00", alpha=0.12, linewidth=0, label="unstable")
    ax.plot(batch, limit, color="black", linewidth=1, label="stability limit, exact", **THEORY)
    ax.set_ylim(float(data.rate.min()) / 1.5, 4 * float(limit.max()))
    ax.set_title("learning rates")
    ax.legend(loc="lower right")
