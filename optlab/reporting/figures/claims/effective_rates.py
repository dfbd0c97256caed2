"""RMSProp's effective learning rate against the size of the gradient."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """Both ranges of gradients on one pair of axes."""
    figure = new_figure(6.4, 3.2)
    ax = figure.subplots()
    for k, name in enumerate(data.range.values):
        part = data.sel(range=name)
        ax.plot(part.gradient, part.effective_rate, "o-", color=COLORS[k], markersize=3.5, label=f"{name} gradients")
    ax.set(xscale="log", yscale="log", xlabel="gradient", ylabel="effective learning rate")
    ax.minorticks_off()
    ax.legend()
    return figure
