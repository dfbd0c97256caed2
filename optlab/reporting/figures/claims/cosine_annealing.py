"""What a constant rate and steps end at beside cosine: on the quadratic exactly, on the network seed by seed."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """Two panels; above the line cosine is better."""
    figure = new_figure(7.2, 3.0)
    quadratic, network = figure.subplots(1, 2)
    rivals = [str(name) for name in data.schedule.values if name != "cosine"]
    for k, rival in enumerate(rivals):
        ratio = data.excess.sel(schedule=rival) / data.excess.sel(schedule="cosine")
        quadratic.plot(data.steps, ratio, "o-", color=COLORS[k + 1], markersize=4, label=rival)
        gap = 100 * (data.accuracy.sel(schedule="cosine") - data.accuracy.sel(schedule=rival)).values
        network.plot(k + np.linspace(-0.15, 0.15, len(gap)), gap, "o", color=COLORS[k + 1], markersize=4)
        network.plot([k - 0.25, k + 0.25], [gap.mean()] * 2, color="black", linewidth=1)
    quadratic.axhline(1, color="black", linewidth=0.8)
    quadratic.set(xscale="log", xlabel="steps", ylabel="final loss over cosine's, exact")
    quadratic.legend()
    network.axhline(0, color="black", linewidth=0.8)
    network.set_xticks(range(len(rivals)), rivals)
    network.set(xlim=(-0.6, len(rivals) - 0.4), ylabel="cosine's accuracy less this, points")
    return figure
