"""The 1/sqrt(T) and 1/T regimes: simulated and exact loss, the bound, and the stretch that was fitted."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.experiments.regimes import Slope
from optlab.reporting.style import BOUND, THEORY, new_figure


def draw_slope(slope: Slope, ax: Axes | None = None) -> Axes:
    """One regime."""
    ax = ax or new_figure(5, 3.6).subplots()
    color = "#0072B2"
    step = slope.simulated.step.values[1:]
    curves = slope.simulated.loss_mean.transpose("replicate", "step").values[:, 1:]
    mean, error = curves.mean(0), 2.58 * curves.std(0, ddof=1) / np.sqrt(len(curves))
    if slope.window:
        ax.axvspan(*slope.window, color="#E69F00", alpha=0.15, linewidth=0, label="fitted")
    ax.fill_between(step, np.maximum(mean - error, 1e-300), mean + error, color=color, alpha=0.4, linewidth=0)
    ax.plot(step, mean, color=color, label="simulated mean, 99 % band")
    ax.plot(step, slope.exact.loss_mean.values[1:], color="black", linewidth=1.1, label="exact expectation", **THEORY)
    ax.plot(step, slope.bound[1:], label="bound", **BOUND)
    if slope.bound_name == "convex_sgd":
        ax.plot(step, slope.bounded[1:], color="#444444", linewidth=0.9, label="what it bounds: weighted average")
    ax.set(xscale="log", yscale="log", xlabel="step T", ylabel="loss − minimum")
    fitted = f"{slope.slope:.3f} ± {slope.half_width:.3f}" if slope.slope is not None else "not reached"
    ax.minorticks_off()
    ax.set_title(f"{slope.schedule.name}: slope {fitted} (limit {slope.limit:g})")
    ax.legend(loc="lower left")
    return ax


def draw_regimes(slopes: list[Slope]) -> Figure:
    """Both regimes side by side."""
    figure = new_figure(5.4 * len(slopes), 3.9)
    for slope, ax in zip(slopes, figure.subplots(1, len(slopes), squeeze=False).ravel(), strict=True):
        draw_slope(slope, ax)
    return figure
