"""Validation accuracy of every final run, by rule."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import color_of, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A row per setting, a point per seed."""
    names = list(dict.fromkeys(map(str, data.setting.values)))
    figure = new_figure(6.4, 0.6 + 0.5 * len(names))
    ax = figure.subplots()
    for name, rule, accuracy in zip(data.setting.values, data.rule.values, data.accuracy.values, strict=True):
        ax.plot(accuracy, names.index(str(name)), "o", color=color_of(str(rule)), markersize=5)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel("validation accuracy at the best epoch, %")
    return figure
