"""The bias of mini-batch gradients with its interval."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """Every batch and coordinate."""
    figure = new_figure(6.4, 3.2)
    ax = figure.subplots()
    half, coordinates = float(data.half_width), data.sizes["coordinate"]
    for k, sampling in enumerate(data.sampling.values):
        for j, _ in enumerate(data.batch.values):
            at = j + (k - 0.5) * 0.3 + np.linspace(-0.1, 0.1, coordinates)
            values = data.bias.sel(sampling=sampling).isel(batch=j).values
            ax.errorbar(at, values, half, fmt="o", color=COLORS[k], markersize=3, linewidth=1, label=str(sampling) if j == 0 else None)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xticks(range(data.sizes["batch"]), [f"|B| = {b}" for b in data.batch.values])
    ax.set_ylabel("bias, in deviations")
    ax.legend()
    return figure
