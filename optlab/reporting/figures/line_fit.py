"""Where runs of the line fit end, against the claimed numbers."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.experiments.line_fit import CLAIMS, TRUTH, Row
from optlab.reporting.style import color_of, new_figure


def row_label(row: Row) -> str:
    """The reading of the example that a row stands for."""
    noise = f", label noise {row.label_noise:g}" if row.label_noise else ""
    factor = "½ MSE" if row.convention == "half" else "1 MSE"
    return f"{factor}, {row.data}, start {row.start}{noise}"


def draw_ends(rows: list[Row], rule: str, coordinate: int, ax: Axes | None = None) -> Axes:
    """Mean and two standard deviations over runs of one coordinate (0: w, 1: b), and the claimed and true values."""
    ax = ax or new_figure(5, 3.4).subplots()
    chosen = [row for row in rows if row.rule == rule]
    places = range(len(chosen))
    ax.axvline(TRUTH[coordinate], color="black", linewidth=0.9, label="true")
    ax.axvline(CLAIMS[rule][coordinate], color="#D55E00", linestyle=":", label=f"claimed {CLAIMS[rule][coordinate]:g}")
    ax.errorbar(
        [row.mean[coordinate] for row in chosen], places, xerr=[2 * row.sd[coordinate] for row in chosen], fmt="o",
        color=color_of(rule), markersize=4, capsize=2, linewidth=1.2,
    )  # fmt: skip
    ax.set_yticks(list(places), [row_label(row) for row in chosen])
    ax.set_ylim(len(chosen) - 0.5, -0.5)
    ax.set_title(f"{rule}: {'w' if coordinate == 0 else 'b'} after the run")
    ax.legend(loc="best")
    return ax


def draw_line_fit(rows: list[Row]) -> Figure:
    """w and b for SGD and Adam."""
    figure = new_figure(11, 6)
    axes = figure.subplots(2, 2, sharey=True)
    for i, rule in enumerate(CLAIMS):
        for coordinate in (0, 1):
            draw_ends(rows, rule, coordinate, axes[i, coordinate])
    return figure
