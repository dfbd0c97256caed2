"""How long each rule needs off a plateau."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.reporting.style import SIMULATION, THEORY, looks, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A panel per noise."""
    columns = min(3, data.sizes["noise"])
    rows = -(-data.sizes["noise"] // columns)
    figure = new_figure(4.4 * columns + 0.6, 3.7 * rows)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for ax, noise in zip(axes.ravel(), data.noise.values, strict=False):
        draw_escapes(data.sel(noise=noise), ax)
        ax.set_title(f"noise σ = {noise:g}" if noise else "no noise")
    for ax in axes.ravel()[data.sizes["noise"] :]:
        ax.set_axis_off()
    for ax in axes[:, 0]:
        ax.set_ylabel("steps until half of the runs have left")
    axes[0, -1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def draw_escapes(data: xr.Dataset, ax: Axes) -> Axes:
    """Steps by 1/gradient at the start, each rule at its learning rate, with intervals; the steady step's prediction dashed."""
    x = 1 / data.gradient.values
    for rule, look in looks(data.rule.values).items():
        row = data.sel(rule=rule)
        label = f"{rule}, α = {float(row.alpha_best):g}" if np.isfinite(row.alpha_best) else f"{rule}: none settles"
        y = row.best_median.values
        high = np.where(np.isfinite(row.best_high.values), row.best_high.values, y)
        ax.errorbar(x, y, np.stack([y - row.best_low.values, high - y]), **look, markersize=3.5, label=label, **SIMULATION)
        ax.plot(x, row.predicted.values, color="black", linewidth=1.0, zorder=5, **THEORY)
    ax.plot([], [], color="black", linewidth=1.0, label="steady step (no noise)", **THEORY)
    ax.set(xscale="log", yscale="log", xlabel="1/gradient at the start")
    return ax
