"""Advice on a table: predicted and simulated curves of the rules, the schedules, and the spectrum."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.reporting.style import COLORS, THEORY, color_of, new_figure


def draw_curves(data: xr.Dataset, kind: str, ax: Axes | None = None) -> Axes:
    """Excess loss by step of every rule (``kind="rule"``) or schedule: simulated (solid, 95 % band), exactly predicted (dashed)."""
    ax = ax or new_figure(6, 4).subplots()
    prefix, minimum, step = "" if kind == "rule" else "schedule_", float(data.attrs["minimum"]), data.step.values
    for position, name in enumerate(map(str, data[kind].values)):
        color = color_of(name, position) if kind == "rule" else COLORS[position % len(COLORS)]
        mean, error, exact = (data[f"{prefix}{part}"].values[position] for part in ("simulated", "standard_error", "predicted"))
        ax.fill_between(step, mean - 1.96 * error - minimum, mean + 1.96 * error - minimum, color=color, alpha=0.25, linewidth=0)
        ax.plot(step, mean - minimum, color=color, label=name)
        ax.plot(step, exact - minimum, color="black", linewidth=0.9, **THEORY)
    ax.set(yscale="log", xlabel="step", ylabel="loss − minimum")
    ax.minorticks_off()
    ax.legend(ncols=2)
    return ax


def draw_spectrum(data: xr.Dataset, ax: Axes | None = None) -> Axes:
    """The eigenvalues of the Hessian, largest first."""
    ax = ax or new_figure(4, 4).subplots()
    values = data.eigenvalue.values[data.eigenvalue.values > 0]
    ax.plot(np.arange(1, len(values) + 1), values, "o-", color=COLORS[0], markersize=4)
    ax.set(yscale="log", xlabel="direction", ylabel="curvature")
    ax.minorticks_off()
    ax.set_title(f"spectrum: condition number {data.attrs['condition_number']:.4g}")
    return ax


def draw_advice(data: xr.Dataset) -> Figure:
    """Rules, schedules and spectrum side by side, from ``Advice.dataset()``."""
    figure = new_figure(12.5, 3.9)
    axes = figure.subplots(1, 3, width_ratios=(5, 5, 3.4))
    draw_curves(data, "rule", axes[0]).set_title("each rule at its best constant step")
    if "schedule" in data.coords:
        draw_curves(data, "schedule", axes[1]).set_title(f"{data.attrs['schedule_rule']} under each schedule's best peak")
    else:
        axes[1].set_axis_off()
    draw_spectrum(data, axes[2])
    return figure
