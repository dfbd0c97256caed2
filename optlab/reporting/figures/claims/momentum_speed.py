"""The speed of momentum on three streams of gradients."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """Steps of momentum in steps of SGD."""
    figure = new_figure(6.4, 3.2)
    ax = figure.subplots()
    for k, name in enumerate(data.stream.values):
        ax.plot(data.step, data.speed.sel(stream=name), color=COLORS[k], label=f"{name} gradient", linewidth=1.2)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set(xlabel="step", ylabel="step of momentum / step of SGD")
    ax.legend()
    return figure
