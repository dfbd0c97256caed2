"""What each rule gains where features are rare."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.experiments.rare_features import KINDS
from optlab.reporting.style import SIMULATION, THEORY, looks, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A panel per kind of table."""
    figure = new_figure(4.2 * data.sizes["kind"] + 1.2, 3.8)
    axes = figure.subplots(1, data.sizes["kind"], squeeze=False, sharey=True)[0]
    for ax, kind in zip(axes, data.kind.values, strict=True):
        draw_excess(data.sel(kind=kind), ax)
        ax.set_title(KINDS[str(kind)].replace(": ", ":\n"), fontsize=9)
    axes[0].set_ylabel("excess loss at the best learning rate")
    axes[-1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def draw_excess(data: xr.Dataset, ax: Axes) -> Axes:
    """Excess loss by share, with intervals; the exact expectation of linear rules dashed."""
    for rule, look in looks(data.rule.values).items():
        row = data.sel(rule=rule).sortby("share")
        y = row.excess.values
        bars = np.stack([np.minimum(y - row.excess_low.values, 0.9 * np.abs(y)), row.excess_high.values - y])
        ax.errorbar(row.share.values, y, bars, **look, markersize=3.5, label=rule, **SIMULATION)
        ax.plot(row.share.values, row.predicted.values, color="black", linewidth=0.9, zorder=5, **THEORY)
    ax.plot([], [], color="black", linewidth=0.9, label="exact", **THEORY)
    ax.set(xscale="log", yscale="log", xlabel="share of rows with a rare feature (p)")
    return ax
