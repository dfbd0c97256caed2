"""The sharpness along full-batch training, over the limit of the rule's stability."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure

TITLES = {"squared_error": "squared error", "softmax_cross_entropy": "softmax"}


def draw(data: xr.Dataset) -> Figure:
    """A panel per loss and rule; a line per learning rate and seed."""
    groups = list(dict.fromkeys(zip(data.objective.values.tolist(), data.rule.values.tolist(), strict=True)))
    columns = min(3, len(groups))
    rows = -(-len(groups) // columns)
    figure = new_figure(3.5 * columns, 2.9 * rows)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for ax, (loss, rule) in zip(axes, groups, strict=False):
        draw_ratio(data.isel(setting=np.flatnonzero((data.objective.values == loss) & (data.rule.values == rule))), ax)
        ax.set_title(f"{rule}, {TITLES.get(loss, loss)}")
    for ax in axes[len(groups) :]:
        ax.set_axis_off()
    for k in range(0, len(groups), columns):
        axes[k].set_ylabel("sharpness / limit")
    for ax in axes[max(0, len(groups) - columns) : len(groups)]:
        ax.set_xlabel("step")
        ax.tick_params(labelbottom=True)
    return figure


def draw_ratio(data: xr.Dataset, ax: Axes) -> Axes:
    """Sharpness over its limit; the line at 1 is the edge. What is above twice the limit is left out."""
    for k in range(data.sizes["setting"]):
        row = data.isel(setting=k)
        for s, values in enumerate(row.ratio.values):
            label = f"α = {float(row.rate):g}" if s == 0 else None
            shown = np.where(values <= 2, values, np.nan)
            ax.plot(data.record.values, shown, color=COLORS[k % len(COLORS)], linewidth=1, alpha=0.85, label=label)
    ax.axhline(1, color="black", linewidth=1, linestyle="--")
    ax.set_ylim(0, 1.6)
    ax.legend(fontsize=7, loc="upper right")
    return ax
