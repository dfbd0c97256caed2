"""The grid: validation accuracy by epoch of every setting, and of the finals with their spread over seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from optlab.experiments.grid import Entry, Grid
from optlab.reporting.style import COLORS, color_of, new_figure

STYLES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (7, 2)))


def curves_of(entry: Entry) -> np.ndarray:
    """Validation accuracy in percent, (seeds, epochs)."""
    return 100 * np.stack([run.validation_accuracy.values for run in entry.runs])


def draw_settings(grid: Grid) -> Figure:
    """A panel per model and rule: color by learning rate, stroke by schedule; the mean over seeds, where they all got there."""
    spec = grid.spec
    rules, schedules, rates = (list(dict.fromkeys(values)) for values in zip(*spec.points, strict=True))
    rates.sort()
    groups = [(model, rule) for model in spec.models for rule in rules]
    columns = min(3, len(groups))
    rows = -(-len(groups) // columns)
    figure = new_figure(3.5 * columns + 0.6, 3.0 * rows + 0.8)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for (model, rule), ax in zip(groups, axes, strict=False):
        for entry in grid.entries:
            setting = entry.setting
            if (setting.model, setting.rule) == (model, rule):
                curves = curves_of(entry)
                ax.plot(
                    np.arange(1, curves.shape[1] + 1), curves.mean(0), color=COLORS[rates.index(setting.alpha) % len(COLORS)],
                    linestyle=STYLES[schedules.index(setting.schedule) % len(STYLES)], marker="o", markersize=2.5,
                )  # fmt: skip
        if grid.baseline is not None:
            ax.axhline(100 * float(grid.baseline.best[0]), color="#7F7F7F", linewidth=0.9)
        ax.set_title(rule if len(spec.models) == 1 else f"{model}, {rule}")
    for ax in axes[len(groups) :]:
        ax.set_axis_off()
    for k, ax in enumerate(axes[: len(groups)]):
        if k % columns == 0:
            ax.set_ylabel("validation accuracy, %")
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles: list[Artist] = [Line2D([], [], color=COLORS[k % len(COLORS)], label=f"learning rate {rate:g}") for k, rate in enumerate(rates)]
    handles += [Line2D([], [], color="black", linestyle=STYLES[k % len(STYLES)], label=name) for k, name in enumerate(schedules)]
    if grid.baseline is not None:
        handles.append(Line2D([], [], color="#7F7F7F", linewidth=0.9, label="best linear softmax"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def draw_finals(grid: Grid) -> Figure:
    """Each rule's best setting: mean over seeds, every seed thin behind it."""
    figure = new_figure(7.4, 4.2)
    ax = figure.subplots()
    for position, entry in enumerate(grid.finals):
        curves = curves_of(entry)
        epochs = np.arange(1, curves.shape[1] + 1)
        color = color_of(entry.setting.rule, position)
        ax.plot(epochs, curves.T, color=color, linewidth=0.7, alpha=0.45)
        name = entry.setting.label() if len(grid.spec.models) == 1 else f"{entry.setting.model}: {entry.setting.label()}"
        ax.plot(epochs, curves.mean(0), color=color, linewidth=2.0, label=name)
    if grid.baseline is not None:
        ax.axhline(100 * float(grid.baseline.best[0]), color="#7F7F7F", linewidth=0.9, label="best linear softmax")
    ax.set(xlabel="epoch", ylabel="validation accuracy, %")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(fontsize="small")
    return figure
