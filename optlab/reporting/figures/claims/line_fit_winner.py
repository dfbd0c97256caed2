"""Mean loss of SGD and Adam in the example."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from optlab.claims.line_fit_numbers import WORDS
from optlab.reporting.style import color_of, new_figure


def draw(data: xr.Dataset) -> Figure:
    """A panel per convention, without label noise."""
    figure = new_figure(7.2, 3.2)
    axes = np.atleast_1d(figure.subplots(1, data.sizes["convention"], sharey=True))
    for ax, convention in zip(axes, data.convention.values, strict=True):
        for rule in data.rule.values:
            loss = data.loss_mean.sel(rule=rule, convention=convention, noise=0.0)
            ax.plot(data.step, np.maximum(loss, 1e-300), color=color_of(str(rule)), label=str(rule))
        ax.set(yscale="log", xlabel="step")
        ax.set_title(WORDS[str(convention)])
    axes[0].set_ylabel("mean loss")
    axes[0].legend()
    return figure
