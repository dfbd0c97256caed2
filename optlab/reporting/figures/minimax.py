"""The landscape of minimax tuning: the worst rate over [mu, L] by step size and momentum, and the best rate by condition number."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab.analysis import analyze
from optlab.analysis.search import Program
from optlab.expressions import Rule
from optlab.reporting.style import color_of, new_figure


def draw_landscape(rule: Rule, kappa: float, ax: Axes | None = None, *, label: bool = True) -> Axes:
    """The worst rate over curvatures in [1/kappa, 1] of a rule with one hyper-parameter; a star at the derived optimum."""
    ax = ax or new_figure(4, 3).subplots()
    program = Program(rule, 1 / kappa, 1.0)
    tuned = analyze(rule).optimal().at(1 / kappa, 1.0)
    (name,) = (str(p) for p in program.parameters)
    sizes = tuned["alpha"] * np.geomspace(1 / 50, 4, 161)
    values = np.linspace(0, 0.999, 120)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(sizes, values, indexing="ij")], -1)
    worst = program.scores(grid).reshape(len(sizes), len(values)).T
    best = tuned["rate"]
    speed = np.where(worst < 1, np.log(worst) / np.log(best), np.nan)  # 1 at the best tuning, 0 where nothing shrinks
    filled = ax.contourf(sizes, values, speed, levels=np.linspace(0, 1, 11), cmap="viridis")
    ax.contour(sizes, values, worst, levels=[1.0], colors="black", linewidths=1.0)
    ax.plot(tuned["alpha"], tuned[name], marker="*", color="#D55E00", markersize=13, markeredgecolor="white", markeredgewidth=0.8)
    ax.set_xscale("log")
    letter = "β" if name == "beta" else name
    ax.set(xlabel="α L", ylabel=letter)
    ax.set_title(f"{rule.name}: error × {best:.4f} per step\nat α L = {tuned['alpha']:.4g}, {letter} = {tuned[name]:.4g}")
    ax.grid(False)
    ax.figure.colorbar(filled, ax=ax, label="speed relative to the best" if label else None, ticks=[0, 0.5, 1])
    return ax


def draw_landscapes(chosen: list[Rule], kappa: float) -> Figure:
    """A panel per rule with one hyper-parameter."""
    figure = new_figure(4.2 * len(chosen), 3.5)
    for position, (rule, ax) in enumerate(zip(chosen, figure.subplots(1, len(chosen), squeeze=False)[0], strict=True), 1):
        draw_landscape(rule, kappa, ax, label=position == len(chosen))
    return figure


def draw_rates(chosen: list[Rule], ax: Axes | None = None) -> Axes:
    """Steps per decimal digit against condition number, from the derived closed forms."""
    ax = ax or new_figure(6, 3.4).subplots()
    kappas = np.geomspace(1.5, 1e6, 60)
    for position, rule in enumerate(chosen):
        tuned = analyze(rule).optimal()
        steps = [np.log(10) / -np.log(tuned.at(1.0, float(k))["rate"]) for k in kappas]
        style = {"linestyle": (0, (5, 2))} if rule.name == "ema_momentum" else {}  # lies on momentum
        ax.loglog(kappas, steps, color=color_of(rule.name, position), label=rule.name, **style)
    ax.set(xlabel="condition number κ", ylabel="steps per decimal digit")
    ax.legend()
    return ax
