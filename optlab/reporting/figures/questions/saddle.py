"""How long each rule stays at a saddle."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.reporting.style import SIMULATION, THEORY, looks, new_figure


def draw(data: xr.Dataset) -> Figure:
    """Linear rules, adaptive rules, and the turned stable manifold where rules were asked to start on it."""
    asked = [rule for rule in data.rule.values if data.turned_outcome.sel(rule=rule).item() != "not asked"]
    linear = [rule for rule in data.rule.values if data.linear.sel(rule=rule).item()]
    groups = [
        (names, title)
        for names, title in ((linear, "linear rules"), ([r for r in data.rule.values if r not in linear], "adaptive rules"))
        if names
    ]
    panels = len(groups) + bool(asked)
    figure = new_figure(3.5 * panels + 0.4, 3.9)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for ax, (names, title) in zip(axes, groups, strict=False):
        draw_escapes(data, names, ax)
        ax.set_title(title)
    if asked:
        draw_manifold(data, asked, axes[-1])
    return figure


def draw_escapes(data: xr.Dataset, names: list[str], ax: Axes) -> Axes:
    """Median first passage by noise; a band between the times at which 5 % and 95 % of the runs have left."""
    adaptive, look = not data.linear.sel(rule=names[0]).item(), looks(data.rule.values)
    for name in names:
        row = data.sel(rule=name)
        seen = np.isfinite(row.escape_median.values)
        x, y = data.noise.values[seen], row.escape_median.values[seen]
        high = np.where(np.isfinite(row.escape_high.values[seen]), row.escape_high.values[seen], y)
        band = row.escape_early.values[seen], row.escape_late.values[seen]
        ax.fill_between(x, *band, color=look[name]["color"], alpha=0.12, linewidth=0)
        bars = np.stack([y - row.escape_low.values[seen], high - y])
        ax.errorbar(x, y, bars, **look[name], markersize=3.5, label=name, **SIMULATION)
        marker = "x" if adaptive else ""  # a held scale predicts single points
        ax.plot(data.noise.values, row.predicted_median.values, color="black", linewidth=1.0, zorder=5, marker=marker, **THEORY)
    ax.plot(
        [], [], color="black", linewidth=1.0, marker="x" if adaptive else "", label="scale held" if adaptive else "exact moments", **THEORY
    )
    ax.fill_between([], [], [], color="#999999", alpha=0.3, linewidth=0, label="5 % to 95 % of runs")
    ax.set(xscale="log", xlabel="gradient noise σ", ylabel="steps until half of the runs have left")
    ax.set(**({"yscale": "log"} if adaptive else {"ylim": (0, None)}))
    legend(ax, len(names))
    return ax


def draw_manifold(data: xr.Dataset, names: list[str], ax: Axes) -> Axes:
    """How rounding or scaling takes a run off the stable manifold of the turned saddle."""
    look = looks(data.rule.values)
    for name in names:
        away = data.turned_distance.sel(rule=name).values
        ax.plot(data.step.values, np.where(away > 0, away, np.nan), color=look[name]["color"], label=name)
    last = np.nanmax(np.where(data.turned_outcome.sel(rule=names) == "left", data.turned_escape.sel(rule=names), data.step.values[-1] / 2))
    ax.set(yscale="log", xlabel="step", ylabel="|u|, distance from the manifold", xlim=(0, 1.3 * last))
    ax.set_title("no noise, saddle turned")
    legend(ax, len(names))
    return ax


def legend(ax: Axes, names: int) -> None:
    """Inside the panel, or below it where there are many names."""
    below: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.15), "ncols": 3} if names > 6 else {}
    ax.legend(fontsize=7, **below)
