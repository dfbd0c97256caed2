"""Adam's steps with and without bias correction."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """Their sizes, step by step."""
    figure = new_figure(6.4, 3.2)
    ax = figure.subplots()
    for k, (kind, name) in enumerate((("on", "corrected"), ("off", "not corrected"))):
        ax.plot(data.step, data.step_size.sel(bias_correction=kind), color=COLORS[k], label=name)
    ax.set(xscale="log", yscale="log", xlabel="step", ylabel="size of the step")
    ax.minorticks_off()
    ax.legend()
    return figure
