"""Paths over the contours of a ravine."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from optlab.experiments.experiment import spec_of
from optlab.experiments.paths import Path
from optlab.reporting.figures.ravine import draw_ravine


def draw(data: xr.Dataset) -> Figure:
    """A panel per rule."""
    rows = [data.sel(rule=rule) for rule in data.rule.values]
    paths = [Path(str(r.rule.item()), float(r.alpha), r.theta.values, int(r.sign_changes), float(r.loss_final)) for r in rows]
    return draw_ravine(paths, spec_of(data)["kappa"])
