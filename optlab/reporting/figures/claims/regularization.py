"""Test loss against training loss, with and without batch normalization, in batches and in full batches."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, new_figure

LABELS = {"none": "without", "batch": "batch normalization", "layer": "layer normalization"}


def draw(data: xr.Dataset) -> Figure:
    """Training runs from right to left; lower is better at the same training loss."""
    figure = new_figure(5.6, 2.5)
    axes = figure.subplots(1, 2, sharey=True)
    for ax, kind, title in zip(axes, ("small", "whole"), ("batches of 32", "full batches"), strict=True):
        for k, (norm, label) in enumerate(LABELS.items()):
            if f"{kind} {norm}" in data.curve.values:
                one = data.sel(curve=f"{kind} {norm}")
                ax.plot(one.training_loss, one.test_loss, color=COLORS[k], label=label)
        ax.axvline(data.attrs["level"], color="black", linewidth=0.8, linestyle=":")
        ax.set(xscale="log", xlabel="training loss")
        ax.minorticks_off()
        ax.invert_xaxis()
        ax.set_title(title)
    axes[0].set_ylabel("test loss")
    axes[0].legend(fontsize=7)
    return figure
