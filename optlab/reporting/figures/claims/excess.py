"""Mean excess loss against steps, for the claims about rates of convergence."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A curve per problem, its fitted slope in the legend."""
    figure = new_figure(6.4, 3.4)
    ax = figure.subplots()
    steps = data.step.values
    for k, kind in enumerate(data.problem.values):
        one = data.sel(problem=kind)
        label = f"{kind}: slope {float(one.slope):.2f}"
        ax.plot(steps[1:], np.maximum(one.excess.values[1:], 1e-300), color=COLORS[k], label=label)
    ax.set(xscale="log", yscale="log", xlabel="steps T", ylabel="mean excess loss")
    ax.minorticks_off()
    ax.legend()
    return figure
