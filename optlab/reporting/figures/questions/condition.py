"""Steps against kappa, a panel per orientation and noise; below, the exponents with their intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from optlab.experiments.questions.condition import columns, law
from optlab.reporting.style import THEORY, color_of, new_figure

LOOKS: dict[str, dict[str, Any]] = {
    "search": {"marker": "o", "markersize": 4.5, "linewidth": 1.6},
    "minimax": {"marker": "s", "markersize": 4, "linewidth": 0, "markerfacecolor": "none"},
    "default": {"marker": "x", "markersize": 4.5, "linewidth": 0.7},
}
LABELS = {"search": "tuned by search", "minimax": "minimax tuning", "default": "default settings"}


def draw(data: xr.Dataset) -> Figure:
    """The whole figure."""
    places = columns(data)
    wide = min(2, len(places))
    tall = -(-len(places) // wide)
    figure = new_figure(4.4 * wide, 3.1 * tall + 2.6)
    parts: Any = figure.subfigures(2, 1, height_ratios=[3.1 * tall, 2.6])
    upper, lower = parts
    axes = upper.subplots(tall, wide, sharex=True, sharey=True, squeeze=False)
    for ax, (orientation, noise) in zip(axes.T.ravel(), places, strict=False):
        _steps(ax, data.sel(orientation=orientation, noise=noise))
        ax.set_title(f"{orientation}, {f'noise {noise:g}' if noise else 'no noise'}")
    for ax in axes[-1]:
        ax.set_xlabel("condition number κ")
    for ax in axes[:, 0]:
        ax.set_ylabel(f"steps to {data.attrs['eps']:g} of the loss")
    _exponents(lower.subplots(), data)
    rules = [
        Line2D([], [], color=color_of(str(rule), i), marker="o", markersize=4, label=str(rule)) for i, rule in enumerate(data.rule.values)
    ]
    kinds = [Line2D([], [], color="#444444", label=LABELS[str(t)], **LOOKS[str(t)]) for t in data.tuning.values]
    theory = Line2D([], [], color="#444444", linewidth=1, label="derived minimax rate", **THEORY)
    upper.legend(handles=[*rules, *kinds, theory], loc="outside lower center", ncols=4)
    return figure


def _steps(ax: Axes, part: xr.Dataset) -> None:
    kappa = part.kappa.values
    for i, rule in enumerate(part.rule.values):
        color, row = color_of(str(rule), i), part.sel(rule=rule)
        if float(part.noise) == 0:
            ax.plot(kappa, row.theory_steps.values, color=color, linewidth=1, **THEORY)
        for tuning in part.tuning.values:
            point = row.sel(tuning=tuning)
            steps = np.where(np.isfinite(point.steps.values), point.steps.values, np.nan)
            ax.plot(kappa, steps, color=color, **LOOKS[str(tuning)])
            if float(part.noise):
                high = np.where(np.isfinite(point.high.values), point.high.values, steps)
                ax.vlines(kappa, point.low.values, high, color=color, linewidth=1)
    ax.set(xscale="log", yscale="log")
    ax.minorticks_off()


def _exponents(ax: Axes, data: xr.Dataset) -> None:
    tuning = "search" if "search" in data.tuning.values else str(data.tuning.values[0])
    places = columns(data)
    marks, rows = "os^Dv<>*", len(data.rule)
    for i, rule in enumerate(data.rule.values):
        for k, (orientation, noise) in enumerate(places):
            fit = law(data.sel(rule=rule, tuning=tuning, orientation=orientation, noise=noise))
            if fit.points < 3:
                continue
            height = rows - 1 - i + 0.3 - 0.6 * (k + 0.5) / len(places)
            look: dict[str, Any] = {"color": color_of(str(rule), i), "marker": marks[k % len(marks)], "markersize": 5}
            ax.plot([max(fit.low, -0.5), min(fit.high, 2)], [height] * 2, color=look["color"], linewidth=1.4)
            ax.plot([fit.exponent], [height], linewidth=0, markerfacecolor="white" if noise else look["color"], **look)
    for value in (0.5, 1.0):
        ax.axvline(value, color="#777777", linewidth=0.9, **THEORY)
    ax.set(yticks=range(rows), yticklabels=list(map(str, data.rule.values[::-1])), ylim=(-0.6, rows - 0.4), xlim=(-0.25, 1.75))
    ax.set_xlabel("exponent of κ, with its 95 % interval (dashed: 1/2 and 1)")
    ax.set_title(f"exponents, {LABELS[tuning]}")
    handles = []
    for k, (orientation, noise) in enumerate(places):
        shown: dict[str, Any] = {
            "color": "#444444",
            "marker": marks[k % len(marks)],
            "markersize": 5,
            "markerfacecolor": "white" if noise else "#444444",
        }
        handles.append(Line2D([], [], linewidth=0, label=f"{orientation}, {f'noise {noise:g}' if noise else 'no noise'}", **shown))
    ax.legend(handles=handles, loc="center right")
