"""The ends of all seeds by width; the loss on the line between two of them; how high the barrier is, and how far apart they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from optlab.reporting.style import COLORS, new_figure

LOOKS: dict[str, Any] = {"as found": "-", "matched": ":"}  #: the line between two ends


def draw(data: xr.Dataset) -> Figure:
    """The four panels."""
    figure = new_figure(9.0, 6.4)
    (ends, losses), (lines, barriers) = figure.subplots(2, 2)
    by_width(ends, data, data.validation_accuracy * 100)
    ends.set(ylabel="accuracy in validation, %", title="the end of every seed")
    by_width(losses, data, data.train_loss)
    losses.axhline(data.attrs["goal"], color="#777777", linewidth=0.9, label="goal")
    losses.set(yscale="log", ylabel="training loss", title="the end of every seed")
    losses.legend()
    draw_lines(lines, data)
    draw_barriers(barriers, data)
    return figure


def by_width(ax: Axes, data: xr.Dataset, values: xr.DataArray) -> None:
    """A point per seed, set apart from side to side; the mean as a bar."""
    for k, width in enumerate(data.width.values):
        row = values.sel(width=width).values
        ax.plot(k + np.linspace(-0.25, 0.25, len(row)), row, "o", markersize=3.5, color=COLORS[k % len(COLORS)], alpha=0.8)
        ax.plot([k - 0.35, k + 0.35], [np.nanmean(row)] * 2, color="black", linewidth=1)
    ax.set_xticks(range(data.sizes["width"]), [str(width) for width in data.width.values])
    ax.set_xlabel("units of a hidden layer")


def draw_lines(ax: Axes, data: xr.Dataset) -> None:
    """The mean over pairs of the training loss on the line."""
    for k, width in enumerate(data.width.values):
        for kind, look in LOOKS.items():
            ax.plot(data.s, data.line_loss.sel(width=width, kind=kind).mean("pair"), look, color=COLORS[k % len(COLORS)])
    handles = [Line2D([], [], color=COLORS[k % len(COLORS)], label=f"width {width}") for k, width in enumerate(data.width.values)]
    handles += [Line2D([], [], color="#444444", linestyle=look, label=f"hidden units {kind}") for kind, look in LOOKS.items()]
    ax.set(xlabel="place on the line between two ends", ylabel="training loss", title="between two ends, mean over pairs")
    ax.set_ylim(0, 1.45 * float(data.line_loss.mean("pair").max()))
    ax.legend(handles=handles, fontsize=7, ncols=2, loc="upper center")


def draw_barriers(ax: Axes, data: xr.Dataset) -> None:
    """Barriers with their intervals, the distances beside them."""
    places = np.arange(data.sizes["width"])
    for k, kind in enumerate(data.kind.values):
        at = data.sel(kind=kind)
        value = at.barrier_mean.values
        bars = np.stack([value - at.barrier_low.values, at.barrier_high.values - value])
        ax.errorbar(places + 0.1 * (2 * k - 1), value, bars, fmt="os"[k], color=COLORS[k], label=f"hidden units {kind}")
        for x, y, far in zip(places, value, at.distance_mean.values, strict=True):
            ax.annotate(f"{far:.2f}", (x + 0.1 * (2 * k - 1), y), xytext=(7 if k else -7, 0), textcoords="offset points", fontsize=7,
                        color=COLORS[k], ha="left" if k else "right", va="center")  # fmt: skip
    ax.set_xticks(places, [str(width) for width in data.width.values])
    ax.set_xlim(-0.6, len(places) - 0.4)
    ax.set_ylim(bottom=0)
    ax.set(xlabel="units of a hidden layer", ylabel="barrier, training loss", title="barrier; in small, the distance of the ends")
    ax.legend()
