"""Which share of runs learns, by the peak learning rate, with warmup and without."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A panel of shares for each place of the norm, and one of how far the first steps carry the weights."""
    panels = data.sizes["place"] + 1
    figure = new_figure(3.4 * panels + 0.6, 3.6)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for ax, place in zip(axes, data.place.values, strict=False):
        draw_shares(data.sel(place=place), ax)
        ax.set_title(f"{place}-norm")
    axes[0].set_ylabel("share of runs that learn")
    axes[0].legend(fontsize=7, loc="lower left")
    draw_moves(data, axes[-1])
    return figure


def named(warmup: int) -> str:
    """A line's name."""
    return f"warmup {warmup}" if warmup else "no warmup"


def draw_shares(data: xr.Dataset, ax: Axes) -> Axes:
    """The shares with their intervals, side by side at each peak."""
    for k, warmup in enumerate(data.warmup.values):
        row, shift = data.sel(warmup=warmup), 1.03 ** (2 * k - 1)
        y = row.learned.values
        bars = np.stack([y - row.learned_low.values, row.learned_high.values - y])
        ax.errorbar(data.peak.values * shift, y, bars, color=COLORS[k], marker="os"[k], markersize=4, label=named(int(warmup)))
    ax.set(xscale="log", xlabel="peak learning rate", ylim=(-0.05, 1.05))
    return ax


def draw_moves(data: xr.Dataset, ax: Axes) -> Axes:
    """Medians over runs of the distance from the start, over the start's norm."""
    for p, place in enumerate(data.place.values):
        for k, warmup in enumerate(data.warmup.values):
            y = np.nanmedian(data.moved.sel(place=place, warmup=warmup).values, -1)
            style, label = ("-", "--")[p], f"{place}, {named(int(warmup))}"
            ax.plot(data.peak.values, y, color=COLORS[k], marker="os"[k], linestyle=style, markersize=4, label=label)
    first = int(data.warmup.values[1])
    ax.set(xscale="log", yscale="log", xlabel="peak learning rate", ylabel="|weights − start| / |start|", title=f"after {first} steps")
    ax.legend(fontsize=7)
    return ax
