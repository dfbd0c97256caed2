"""Accuracy against the number of epochs, each schedule at its best peak, and 1-cycle at its own."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, SIMULATION, new_figure


def draw(data: xr.Dataset) -> Figure:
    """One panel."""
    figure = new_figure(6.6, 4.0)
    draw_accuracy(figure.subplots(), data)
    return figure


def draw_accuracy(ax: Axes, data: xr.Dataset) -> Axes:
    """Means and intervals; the band is 1-cycle's interval, carried on to the longer runs."""
    n = int(data.attrs["epochs"])
    epochs = n * data.multiple.values
    for k, schedule in enumerate(data.schedule.values):
        row = data.sel(schedule=schedule)
        value = 100 * row.accuracy_mean.values
        bars = np.stack([value - 100 * row.accuracy_low.values, 100 * row.accuracy_high.values - value])
        ax.errorbar(epochs * 1.02 ** (k - 1), value, bars, color=COLORS[k + 1], marker="osD"[k % 3], markersize=4, label=str(schedule),
                    **SIMULATION)  # fmt: skip
    low, value, high = (100 * float(data[f"one_cycle_{part}"]) for part in ("low", "mean", "high"))
    ax.axhspan(low, high, color=COLORS[0], alpha=0.15, linewidth=0)
    ax.axhline(value, color=COLORS[0], linewidth=1)
    ax.plot([n], [value], "*", color=COLORS[0], markersize=13, markeredgecolor="black", zorder=5, label=f"1-cycle, {n} epochs")
    ax.set(xscale="log", xlabel="epochs", ylabel="accuracy in validation, %")
    ax.set_xticks(epochs, [str(e) for e in epochs])
    ax.minorticks_off()
    ax.legend(loc="lower right")
    return ax
