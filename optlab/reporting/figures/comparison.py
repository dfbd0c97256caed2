"""Every rule on one quadratic: a panel each, and one with all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from optlab.experiments.comparison import Comparison
from optlab.reporting.figures.loss_curve import draw_loss_curve
from optlab.reporting.style import BOUND, THEORY, color_of, new_figure


@dataclass(frozen=True)
class Panel:
    """What one panel shows."""

    title: str
    rule: str
    simulated: xr.Dataset
    exact: xr.Dataset | None = None
    bound: np.ndarray | None = None


def draw_comparison(comparison: Comparison) -> Figure:
    """Every rule on one quadratic."""
    return draw_panels([Panel(f"{e.rule.name}, α = {e.alpha:g}", e.name, e.simulated, e.exact, e.bound) for e in comparison.entries])


def draw_panels(entries: Sequence[Panel]) -> Figure:
    """One panel per rule with mean, spread, exact expectation and bound; the last panel overlays the means."""
    panels = len(entries) + 1
    columns = min(4, panels)
    rows = math.ceil(panels / columns)
    figure = new_figure(2.75 * columns, 2.45 * rows + 0.4)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for position, (entry, ax) in enumerate(zip(entries, axes, strict=False)):
        color = color_of(entry.rule, position)
        draw_loss_curve(entry.simulated, entry.exact, bound=entry.bound, ax=ax, color=color)
        ax.set_title(entry.title, color=color)
        draw_loss_curve(entry.simulated, ax=axes[panels - 1], color=color, band=False)
    axes[panels - 1].set_title("all means")
    for ax in axes[panels:]:
        ax.set_axis_off()
    for ax in axes[:panels]:
        if ax.get_subplotspec().is_first_col():
            ax.set_ylabel("loss − minimum" if "minimum" in entries[0].simulated.attrs else "loss")
    for ax in axes[panels - columns : panels]:
        ax.set_xlabel("step")
        ax.tick_params(labelbottom=True)
    handles: list[Artist] = [
        Line2D([], [], color="#0072B2", label="simulated mean, with its 95 % band"),
        Patch(color="#0072B2", alpha=0.18, label="5–95 % of runs"),
        Line2D([], [], color="black", linewidth=1.1, label="exact expectation", **THEORY),
    ]
    if any(entry.bound is not None for entry in entries):
        handles.append(Line2D([], [], label="bound (SGD)", **BOUND))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure
