"""One training run: loss and accuracy by epoch, and the sizes of gradients and updates."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from optlab.reporting.style import COLORS, new_figure

TRAINING, VALIDATION = COLORS[5], COLORS[0]
SIZES = {"learning_rate": "learning rate", "gradient_norm": "norm of the gradient", "update_ratio": "|update| / |weights|"}


def draw_training(run: xr.Dataset) -> Figure:
    """Panels of a run: loss; accuracy where there are classes; gradient norm and update-to-weight ratio; learning rate."""
    classes = "validation_accuracy" in run
    figure = new_figure(10.0 if classes else 7.6, 5.4)
    axes = figure.subplots(2, 3 if classes else 2, sharex=True)
    panels = list(axes.ravel())
    _pair(panels.pop(0), run, "loss")
    if classes:
        _pair(panels.pop(0), run, "accuracy")
    for name, label in SIZES.items():
        ax = panels.pop(0)
        ax.plot(run.epoch, run[name], color=COLORS[0])
        ax.set(ylabel=label, yscale=_scale(run[name].values))
    if panels:
        ax = panels.pop(0)
        ax.plot(run.epoch, run.noise_scale, "o-", markersize=3, color=COLORS[0])
        ax.set(ylabel="gradient-noise scale, samples", yscale=_scale(run.noise_scale.values))
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.suptitle(f"{run.attrs['model']} on {run.attrs['data']}: {run.attrs['rule']}, {run.attrs['schedule']}", fontsize="medium")
    return figure


def _pair(ax: Axes, run: xr.Dataset, what: str) -> None:
    train, validation = run[f"train_{what}"], run[f"validation_{what}"]
    ax.plot(run.epoch, train, label="training", color=TRAINING)
    ax.plot(run.epoch, validation, label="validation", color=VALIDATION)
    best = int(run.best_epoch)
    if best:
        ax.plot(best, float(validation.sel(epoch=best)), "o", label=f"best: epoch {best}", color=VALIDATION)
    ax.set(ylabel=what, yscale=_scale(np.r_[train.values, validation.values]))
    ax.legend(fontsize="small")


def _scale(values: np.ndarray) -> str:
    """A logarithmic axis where positive numbers range over more than a decade."""
    finite = values[np.isfinite(values)]
    return "log" if len(finite) and finite.min() > 0 and finite.max() > 10 * finite.min() else "linear"
