"""Where every seed ends, by width: accuracy and training loss."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.figures.questions.minima import by_width
from optlab.reporting.style import new_figure


def draw(data: xr.Dataset) -> Figure:
    """Two panels."""
    figure = new_figure(7.2, 3.0)
    accuracy, loss = figure.subplots(1, 2)
    by_width(accuracy, data, 100 * data.validation_accuracy)
    accuracy.set_ylabel("accuracy in validation, %")
    by_width(loss, data, data.train_loss)
    loss.set(yscale="log", ylabel="training loss at the end")
    return figure
