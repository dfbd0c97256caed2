"""Paths over the contours of a ravine."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Ellipse

from optlab.experiments.paths import Path
from optlab.reporting.style import color_of, looks, new_figure


def draw_path(path: Path, kappa: float, ax: Axes | None = None, color: str | None = None) -> Axes:
    """One rule's path over the contours of f = (x^2/kappa + y^2)/2."""
    ax = ax or new_figure(4, 3).subplots()
    for level in np.geomspace(1e-4, 1, 11):
        height = 2 * np.sqrt(2 * level)
        ax.add_patch(Ellipse((0, 0), height * np.sqrt(kappa), height, fill=False, edgecolor="#bbbbbb", linewidth=0.6))
    ax.plot(*path.points.T, "-o", color=color or color_of(path.rule), markersize=2.2, markevery=slice(0, 25), linewidth=1.0)
    ax.plot(0, 0, marker="*", color="black", markersize=8)
    reach = 1.05 * max(1.2, float(np.abs(path.points).max()))
    ax.set(xlim=(-1.25, 1.25), ylim=(-reach, reach))
    ax.grid(False)
    ax.set_title(f"{path.rule}, α = {path.alpha:.3g}", color=color or color_of(path.rule))
    return ax


def shape_of(panels: int) -> tuple[int, int]:
    """Rows and columns of this many panels."""
    columns = min(4 if panels <= 8 else 5, panels)
    return math.ceil(panels / columns), columns


def draw_ravine(paths: list[Path], kappa: float) -> Figure:
    """A panel per rule."""
    rows, columns = shape_of(len(paths))
    figure = new_figure(2.75 * columns, 2.5 * rows + 0.2)
    draw_panels(paths, kappa, figure)
    return figure


def draw_panels(paths: list[Path], kappa: float, figure: Figure | SubFigure) -> None:
    """A panel per rule, in a figure or in part of one."""
    axes = figure.subplots(*shape_of(len(paths)), sharex=True, sharey=True, squeeze=False)
    look = looks(path.rule for path in paths)
    for position, ax in enumerate(axes.ravel()):
        if position < len(paths):
            draw_path(paths[position], kappa, ax, look[paths[position].rule]["color"])
        else:
            ax.set_axis_off()
    reach = 1.05 * max(1.2, *(float(np.abs(path.points).max()) for path in paths))
    axes[0, 0].set_ylim(-reach, reach)
    for ax in axes[:, 0]:
        ax.set_ylabel("stiff direction")
    for ax in axes[-1]:
        ax.set_xlabel("flat direction")
