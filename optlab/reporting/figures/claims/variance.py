"""The variance of mini-batch gradients against the size of the batch."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, THEORY, new_figure


def draw(data: xr.Dataset) -> Figure:
    """Variance times |B| over sigma^2: 1 where the law holds."""
    figure = new_figure(6.4, 3.2)
    ax = figure.subplots()
    batch = data.batch.values
    for k, sampling in enumerate(data.sampling.values):
        value, low, high = data.ratio.sel(sampling=sampling).transpose("end", "batch").values
        ax.errorbar(
            batch, value, [value - low, high - value], fmt="o", color=COLORS[k], markersize=4, linewidth=1.2, label=f"measured, {sampling}"
        )
    ax.plot(batch, np.ones(len(batch)), color=COLORS[0], label="σ²/|B|", **THEORY)
    ax.plot(batch, data.subset_law.values, color=COLORS[1], label="times (n − |B|)/(n − 1)", **THEORY)
    ax.set_xscale("log", base=2)
    ax.set_xticks(batch, [str(b) for b in batch])
    ax.set(xlabel="|B|", ylabel="variance · |B| / σ²", ylim=(0, 1.2))
    ax.legend(loc="lower left")
    return figure
