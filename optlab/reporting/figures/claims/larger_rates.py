"""The largest stable learning rate with and without batch normalization."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A row per setup."""
    figure = new_figure(6.4, 0.9 + 0.55 * data.sizes["setup"])
    ax = figure.subplots()
    places = np.arange(data.sizes["setup"])
    for k, (norm, label) in enumerate((("none", "without"), ("batch", "with batch normalization"))):
        value, low, high = data.limit.sel(norm=norm).transpose("end", "setup").values
        bars = [value - low, np.where(np.isfinite(high), high, value) - value]
        ax.errorbar(value, places + 0.14 * (2 * k - 1), xerr=bars, fmt="os"[k], color=COLORS[k], markersize=5, label=label)
    ax.set_yticks(places, [str(setup) for setup in data.setup.values])
    ax.set_ylim(data.sizes["setup"] - 0.5, -0.5)
    ax.set(xscale="log", xlabel="largest stable learning rate")
    ax.legend(fontsize=7, loc="lower left")
    return figure
