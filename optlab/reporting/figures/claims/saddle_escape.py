"""How long SGD stays at a saddle, by its noise."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, THEORY, new_figure


def draw(data: xr.Dataset) -> Figure:
    """Median and 5 to 95 % of runs, with the exact prediction."""
    figure = new_figure(6.4, 3.2)
    ax = figure.subplots()
    noise = data.noise.values
    low, high = (np.where(np.isfinite(data[name]), data[name], np.nan) for name in ("escape_early", "escape_late"))
    ax.fill_between(noise, low, high, color=COLORS[0], alpha=0.2, linewidth=0, label="5 to 95 % of runs")
    ax.plot(noise, data.escape_median, "o-", color=COLORS[0], markersize=4, label="median")
    ax.plot(noise, data.predicted_median, color="black", label="linearized, exact", **THEORY)
    ax.set(xscale="log", xlabel="deviation of the gradient noise", ylabel="steps to leave")
    ax.minorticks_off()
    ax.legend()
    return figure
