"""How far either form of weight decay holds each coordinate back."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """Bars by curvature."""
    figure = new_figure(6.4, 3.0)
    ax = figure.subplots()
    places = np.arange(data.sizes["coordinate"])
    for k, kind in enumerate(data.decay.values):
        ax.bar(places + 0.2 * (2 * k - 1), 1 - data.end.sel(decay=kind).values, 0.36, color=COLORS[k], label=f"{kind} decay")
    ax.set_xticks(places, [f"curvature {c:g}" for c in data.curvature.values])
    ax.set_ylabel("held back from the minimum")
    ax.legend()
    return figure
