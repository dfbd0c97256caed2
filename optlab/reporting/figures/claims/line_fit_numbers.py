"""Where SGD and Adam end in the example, beside the numbers of the article."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, color_of, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A panel for w and one for b; bars are two deviations of single runs."""
    figure = new_figure(7.2, 3.2)
    for ax, name in zip(figure.subplots(1, 2), data.coordinate.values, strict=True):
        labels = []
        for k, rule in enumerate(data.rule.values):
            for j, convention in enumerate(data.convention.values):
                one = data.sel(rule=rule, convention=convention, coordinate=name)
                at = 2 * k + j
                ax.errorbar(at, float(one["mean"]), 2 * float(one.deviation), fmt="o", color=color_of(str(rule)), markersize=4)
                labels.append(f"{rule}\n{convention}")
            said = float(data.said.sel(rule=rule, coordinate=name))
            ax.hlines(said, 2 * k - 0.4, 2 * k + 1.4, color=COLORS[-1], linewidth=1.4, label="the article" if k == 0 else None)
        ax.set_xticks(np.arange(len(labels)), labels)
        ax.set_title(str(name))
        ax.legend()
    return figure
