"""What adaptive rules gain over SGD on rare and on dense features."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A pair of points per rule; 1 is no gain."""
    figure = new_figure(6.4, 3.0)
    ax = figure.subplots()
    places = np.arange(data.sizes["rule"])
    for k, (kind, label) in enumerate((("rare", "rare features"), ("scaled", "dense, same curvatures"))):
        value, low, high = data.gain.sel(kind=kind).transpose("end", "rule").values
        ax.errorbar(places + 0.12 * (2 * k - 1), value, [value - low, high - value], fmt="o", color=COLORS[k], label=label)
    ax.axhline(1, color="black", linewidth=0.8)
    ax.set_yscale("log")
    ax.set_xticks(places, [str(rule) for rule in data.rule.values])
    ax.set_ylabel("excess loss of SGD over the rule's")
    ax.legend()
    return figure
