"""What a factor of ten in each hyper-parameter of Adam does to the final loss."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A bar per hyper-parameter, the worse of the two sides."""
    figure = new_figure(6.4, 2.8)
    ax = figure.subplots()
    names = [str(name) for name in data.parameter.values]
    ax.barh(names, data.harm.values, xerr=3.3 * data.error.values, color=[COLORS[1] if name == "alpha" else COLORS[0] for name in names])
    ax.set_xlabel("log₁₀ of final loss over that of the best setting")
    ax.invert_yaxis()
    return figure
