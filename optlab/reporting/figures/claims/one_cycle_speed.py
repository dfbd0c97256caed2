"""Accuracy against epochs: the figure of the experiment, of the schedules that the claim is tested against."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from optlab.reporting.figures.questions.onecycle import draw_accuracy
from optlab.reporting.style import new_figure


def draw(data: xr.Dataset) -> Figure:
    """One panel."""
    figure = new_figure(6.4, 3.4)
    draw_accuracy(figure.subplots(), data)
    return figure
