"""The final loss by peak, for each schedule."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, SIMULATION, THEORY, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A panel per rule."""
    columns = min(3, data.sizes["rule"])
    rows = -(-data.sizes["rule"] // columns)
    figure = new_figure(3.6 * columns + 1.4, 3.4 * rows)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for ax, rule in zip(axes.ravel(), data.rule.values, strict=False):
        draw_peaks(data.sel(rule=rule), data.attrs["start"], ax)
        ax.set_title(str(rule))
    for ax in axes.ravel()[data.sizes["rule"] :]:
        ax.set_axis_off()
    for ax in axes[:, 0]:
        ax.set_ylabel("final loss")
    for ax in axes[-1]:
        ax.set_xlabel("peak learning rate")
    axes[0, -1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def draw_peaks(data: xr.Dataset, start: float, ax: Axes) -> Axes:
    """Measured losses with intervals, exact ones dashed, a star at the best peak; losses above ten times the start's are left out."""
    x, top = data.peak.values, 10 * start
    for k, schedule in enumerate(data.schedule.values):
        row, color, marker = data.sel(schedule=schedule), COLORS[k % len(COLORS)], "osD^vP"[k % 6]
        shown = np.isfinite(row.loss.values) & (row.loss.values <= top)
        y = row.loss.values[shown]
        bars = np.stack([np.minimum(y - row.loss_low.values[shown], 0.9 * y), row.loss_high.values[shown] - y])
        ax.errorbar(x[shown], y, bars, color=color, marker=marker, markersize=3.5, label=str(schedule), **SIMULATION)
        exact = row.predicted.values
        ax.plot(x, np.where(exact <= top, exact, np.nan), color="black", linewidth=0.9, zorder=5, **THEORY)
        ax.plot(float(row.best_peak), float(row.best_loss), marker="*", markersize=11, color=color, markeredgecolor="black", zorder=6)
    ax.axhline(start, color="#999999", linewidth=0.8)
    ax.annotate("start", (x[0], start), fontsize=7, color="#666666", va="bottom")
    ax.plot([], [], color="black", linewidth=0.9, label="exact", **THEORY)
    ax.plot([], [], marker="*", linestyle="", markersize=9, color="white", markeredgecolor="black", label="best peak")
    ax.set(xscale="log", yscale="log")
    return ax
