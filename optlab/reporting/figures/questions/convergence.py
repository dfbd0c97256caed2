"""Loss against steps on log axes: a row per schedule, a column per problem; simulation, exact expectation, bound, the limit's slope."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from optlab.reporting.style import BOUND, COLORS, THEORY, new_figure

LIMIT: dict[str, Any] = {"linestyle": "-.", "color": "#E69F00", "linewidth": 1.2}


def draw(data: xr.Dataset) -> Figure:
    """The whole figure."""
    rows, columns = data.sizes["schedule"], data.sizes["problem"]
    figure = new_figure(3.1 * max(columns, 2), 2.8 * rows + 0.7)
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False)
    for line, schedule in zip(axes, data.schedule.values, strict=True):
        for ax, problem in zip(line, data.problem.values, strict=True):
            _panel(ax, data.sel(schedule=schedule, problem=problem))
        line[0].set_ylabel("loss − minimum")
    for ax in axes[-1]:
        ax.set_xlabel("step T")
    handles = [
        Line2D([], [], color=COLORS[0], label="simulated mean"), Patch(color=COLORS[0], alpha=0.3, label="its 99 % band"),
        Line2D([], [], color="black", linewidth=1.1, label="exact expectation", **THEORY), Line2D([], [], label="bound", **BOUND),
        Line2D([], [], label="slope of the limit", **LIMIT), Patch(color="#E69F00", alpha=0.15, label="fitted"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _panel(ax: Axes, row: xr.Dataset) -> None:
    step, mean = row.step.values[1:], row.excess.values[1:]
    half, last = 2.58 * row.error.values[1:], float(step[-1])
    ax.axvspan(last / 10, last, color="#E69F00", alpha=0.15, linewidth=0)
    ax.fill_between(step, np.maximum(mean - half, mean / 100), mean + half, color=COLORS[0], alpha=0.3, linewidth=0)
    ax.plot(step, mean, color=COLORS[0])
    ax.plot(step, row.exact.values[1:], color="black", linewidth=1.1, **THEORY)
    ax.plot(step, row.bound.values[1:], **BOUND)
    ends = np.array([last / 10, last])
    ax.plot(ends, 1.6 * mean[-1] * (ends / last) ** float(row.limit), **LIMIT)
    half_width = (float(row.slope_high) - float(row.slope_low)) / 2
    ax.set(xscale="log", yscale="log")
    ax.minorticks_off()
    ax.set_title(f"{row.problem.item()}, {row.schedule.item()}:\nslope {float(row.slope):.3f} ± {half_width:.3f}", fontsize=9)
