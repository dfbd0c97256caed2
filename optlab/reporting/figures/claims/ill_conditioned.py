"""SGD in a ravine: its two coordinates by step, and how often its stiff step turns, by learning rate."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """Two panels."""
    figure = new_figure(6.6, 2.6)
    path, turning = figure.subplots(1, 2)
    for k, direction in enumerate(data.direction.values):
        path.plot(data.step, data.theta.sel(direction=direction), color=COLORS[k], linewidth=1, label=f"{direction} direction")
    path.axhline(0, color="black", linewidth=0.8)
    path.set(xlabel="step", ylabel="distance from the minimum")
    path.legend()
    rate, noisy = data.sgd_rate.values, data.noisy_turns.values
    bars = np.stack([noisy - data.low.values, data.high.values - noisy])
    turning.plot(rate, data.turns, "o-", color=COLORS[1], markersize=4, label="without noise")
    turning.errorbar(rate, noisy, bars, marker="s", color=COLORS[2], markersize=4, label="with noise, late")
    turning.axhline(0.5, color="#777777", linewidth=0.9)
    turning.set(xlabel="learning rate times L", ylabel="share of stiff steps that turn")
    turning.legend(loc="lower right")
    return figure
