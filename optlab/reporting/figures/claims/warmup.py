"""Runs that do not learn, with warmup and without."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A panel per place of the norm, a pair of points per peak."""
    figure = new_figure(6.4, 2.8)
    axes = figure.subplots(1, data.sizes["place"], sharey=True)
    for ax, place in zip(axes, data.place.values, strict=True):
        for k, warmup in enumerate(data.warmup.values):
            value, low, high = data.failed.sel(place=place, warmup=warmup).transpose("end", "peak").values
            label = f"warmup {warmup}" if warmup else "no warmup"
            x = data.peak.values * 1.03 ** (2 * k - 1)
            ax.errorbar(x, value, [value - low, high - value], fmt="os"[k], color=COLORS[k], markersize=4, label=label)
        ax.set(xscale="log", xlabel="peak learning rate", title=f"{place}-norm", ylim=(-0.05, 1.05))
    axes[0].set_ylabel("share of runs that do not learn")
    axes[0].legend(fontsize=7, loc="upper left")
    return figure
