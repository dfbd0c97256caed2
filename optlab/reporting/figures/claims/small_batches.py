"""Accuracy of each normalization where the statistics of a batch are poor, or are not those of the test."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A group of points per condition."""
    figure = new_figure(6.4, 3.0)
    ax = figure.subplots()
    places = np.arange(data.sizes["place"])
    for k, norm in enumerate(data.norm.values):
        value, low, high = data.right.sel(norm=norm).transpose("end", "place").values
        ax.errorbar(
            places + 0.15 * (k - 1), value, [value - low, high - value], fmt="os^"[k], color=COLORS[k], markersize=4, label=str(norm)
        )
    ax.set_xticks(places, [str(place).replace("batches of", "batches\nof") for place in data.place.values], fontsize=8)
    ax.set(ylabel="test images right, %", ylim=(0, None))
    ax.legend(fontsize=7, loc="upper left")
    return figure
