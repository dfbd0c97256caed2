"""Which learning rates train with each normalization, what happens to the activations, and small batches."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure

MARKERS = "osD^"


def draw(data: xr.Dataset) -> Figure:
    """Loss by rate with the limits, effective rank by layer, accuracy by batch where small ones were asked for."""
    panels = 3 if data.sizes["batch"] else 2
    figure = new_figure(3.9 * panels, 3.9)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    draw_rates(data, axes[0])
    draw_ranks(data, axes[1])
    if panels == 3:
        draw_small(data, axes[2])
    return figure


def draw_rates(data: xr.Dataset, ax: Axes) -> Axes:
    """The loss at the end by learning rate, mean of the seeds that did not diverge; a line at each norm's limit, its interval shaded."""
    for k, norm in enumerate(data.norm.values):
        row, color = data.sel(norm=norm), COLORS[k % len(COLORS)]
        kept = np.isfinite(row.end_loss.values)
        values = np.where(kept, row.end_loss.values, 0).sum(1) / np.maximum(kept.sum(1), 1)
        ax.plot(row.rate.values, np.where(kept.any(1), values, np.nan), color=color, marker=MARKERS[k % 4], markersize=4, label=str(norm))
        if np.isfinite(row.limit):
            ax.axvline(float(row.limit), color=color, linestyle="--", linewidth=1)
            if np.isfinite(row.limit_high):
                ax.axvspan(float(row.limit_low), float(row.limit_high), color=color, alpha=0.12, linewidth=0)
    ax.plot([], [], "--", color="#777777", linewidth=1, label="largest stable rate")
    ax.set(xscale="log", xlabel="learning rate", ylabel="training loss at the end")
    ax.legend(fontsize=7)
    return ax


def draw_ranks(data: xr.Dataset, ax: Axes) -> Axes:
    """Effective rank of every layer's activations, at the start (open, dotted) and at the end of training."""
    layers = np.arange(1, data.sizes["layer"] + 1)
    for k, norm in enumerate(data.norm.values):
        row, color = data["rank"].sel(norm=norm), COLORS[k % len(COLORS)]
        ax.plot(layers, row.sel(end="start"), ":", color=color, marker=MARKERS[k % 4], markersize=4, markerfacecolor="white")
        ax.plot(layers, row.sel(end="end"), color=color, marker=MARKERS[k % 4], markersize=4, label=str(norm))
    ax.plot([], [], ":", color="#777777", label="before training")
    ax.set(xlabel="layer", ylabel="effective rank of the activations", ylim=(0, None))
    ax.set_xticks(layers)
    ax.legend(fontsize=7)
    return ax


def draw_small(data: xr.Dataset, ax: Axes) -> Axes:
    """Accuracy by batch: filled in evaluation mode, open in training mode."""
    places = np.arange(data.sizes["batch"])
    for k, norm in enumerate(data.norm.values):
        row, color = data.sel(norm=norm), COLORS[k % len(COLORS)]
        for name, face in (("small", color), ("small_own", "white")):
            value, low, high = (100 * row[name + end].values for end in ("", "_low", "_high"))
            shift = 0.09 * (k - 1.5) + (0.03 if face == "white" else 0)
            ax.errorbar(places + shift, value, [value - low, high - value], fmt=MARKERS[k % 4], color=color, markersize=4,
                        markerfacecolor=face, linewidth=1, label=str(norm) if face != "white" else None)  # fmt: skip
    ax.plot([], [], "o", color="#777777", markerfacecolor="white", label="training mode")
    ax.set_xticks(places, [str(batch) for batch in data.batch.values])
    ax.set(xlabel="images in a batch", ylabel="test images right, %", ylim=(0, None))
    ax.legend(fontsize=7)
    return ax
