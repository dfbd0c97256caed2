"""Advice on a table: predicted and simulated curves of the rules, the schedules, and the spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.experiments.advise import Advice, RuleAdvice, ScheduleAdvice
from optlab.reporting.style import COLORS, THEORY, color_of, new_figure


def draw_curves(items: Sequence[RuleAdvice | ScheduleAdvice], minimum: float, ax: Axes | None = None) -> Axes:
    """Excess loss by step: simulated with real mini-batches (solid), exactly predicted (dashed)."""
    ax = ax or new_figure(6, 4).subplots()
    for position, item in enumerate(items):
        color = color_of(item.name, position) if isinstance(item, RuleAdvice) else COLORS[position % len(COLORS)]
        step, mean, error = (item.simulated[name].values for name in ("step", "loss_mean", "loss_standard_error"))
        ax.fill_between(step, mean - 1.96 * error - minimum, mean + 1.96 * error - minimum, color=color, alpha=0.25, linewidth=0)
        ax.plot(step, mean - minimum, color=color, label=item.name)
        if item.predicted is not None:
            ax.plot(item.predicted.step, item.predicted.loss_mean - minimum, color="black", linewidth=0.9, **THEORY)
    ax.set(yscale="log", xlabel="step", ylabel="loss − minimum")
    ax.legend(ncols=2)
    return ax


def draw_spectrum(advice: Advice, ax: Axes | None = None) -> Axes:
    """The eigenvalues of the Hessian, largest first."""
    ax = ax or new_figure(4, 4).subplots()
    values = np.array([value for value in advice.spectrum if value > 0])
    ax.plot(np.arange(1, len(values) + 1), values, "o-", color=COLORS[0], markersize=4)
    ax.set(yscale="log", xlabel="direction", ylabel="curvature")
    ax.set_title(f"spectrum: condition number {advice.condition_number:.4g}")
    return ax


def draw_advice(advice: Advice) -> Figure:
    """Rules, schedules and spectrum side by side."""
    figure = new_figure(12.5, 3.9)
    axes = figure.subplots(1, 3, width_ratios=(5, 5, 3.4))
    draw_curves(advice.rules, advice.minimum, axes[0]).set_title("each rule at its best constant step")
    if advice.schedules:
        draw_curves(advice.schedules, advice.minimum, axes[1]).set_title(f"{advice.schedule_rule} under each schedule's best peak")
    else:
        axes[1].set_axis_off()
    draw_spectrum(advice, axes[2])
    return figure
