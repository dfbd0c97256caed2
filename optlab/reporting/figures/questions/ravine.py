"""Paths over the contours of a ravine, and how they swing and crawl."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.experiments.experiment import spec_of
from optlab.experiments.paths import Path
from optlab.reporting.figures.ravine import draw_panels, shape_of
from optlab.reporting.style import COLORS, SIMULATION, THEORY, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A panel of contours per rule; below, how often SGD turns, and how fast each rule is damped."""
    rows = [data.sel(rule=rule) for rule in data.rule.values]
    paths = [Path(str(r.rule.item()), float(r.alpha), r.theta.values, int(r.sign_changes), float(r.loss_final)) for r in rows]
    high = 2.2 * shape_of(len(paths))[0] + 0.3
    figure = new_figure(11, high + 3.4)
    parts: Any = figure.subfigures(2, 1, height_ratios=[high, 3.4])
    above, below = parts
    draw_panels(paths, spec_of(data)["kappa"], above)
    left, right = below.subplots(1, 2)
    draw_sgd(data, left)
    draw_factors(data, right)
    return figure


def draw_sgd(data: xr.Dataset, ax: Axes) -> Axes:
    """How often SGD's stiff step turns, by learning rate."""
    x, y = data.sgd_rate.values, data.sgd_turns.values
    bars = np.stack([y - data.sgd_turns_low.values, data.sgd_turns_high.values - y])
    ax.plot(x, data.sgd_turns_quiet.values, color=COLORS[4], marker="s", markersize=3.5, label="no noise", **SIMULATION)
    ax.errorbar(x, y, bars, color=COLORS[0], marker="o", markersize=3.5, label="noise (mean and 99 % interval)", **SIMULATION)
    ax.plot(x, data.sgd_turns_predicted.values, color="black", linewidth=1.0, zorder=5, label="arccos(r)/π", **THEORY)
    ax.set(xlabel="learning rate of SGD × L", ylabel="share of stiff steps that turn", ylim=(-0.03, 1.05))
    ax.set_title("when does SGD swing?")
    ax.legend(loc="lower right")
    return ax


def draw_factors(data: xr.Dataset, ax: Axes) -> Axes:
    """1 minus the late factor per step, along both directions, by rule; theory where the rule is linear."""
    places = np.arange(data.sizes["rule"])
    for k, (name, color, marker, shift) in enumerate((("flat", COLORS[1], "o", -0.12), ("stiff", COLORS[2], "s", 0.12))):
        measured, theory = 1 - data.factor.values[:, k], 1 - data.factor_predicted.values[:, k]
        shown = measured > 0
        ax.plot(measured[shown], places[shown] + shift, linestyle="", marker=marker, color=color, label=f"{name} direction")
        ax.plot(theory, places + shift, linestyle="", marker="|", markersize=11, color="black", label="" if k else "theory")
    ax.set(xscale="log", xlabel="damping per step, 1 − factor", yticks=places, yticklabels=list(data.rule.values))
    for place, late in zip(places, data.factor.values, strict=True):
        if (late >= 1).all():
            ax.annotate("not damped", (0.02, place), xycoords=("axes fraction", "data"), fontsize=7, va="center")
    ax.set_ylim(len(places) - 0.5, -0.5)
    ax.set_title("damping of each direction, no noise")
    ax.legend(fontsize=7, loc="lower left")
    return ax
