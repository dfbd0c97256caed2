"""The page of an experiment: what was found, its figure and its tables, in one self-contained file."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from optlab._version import __version__
from optlab.experiments.experiment import Experiment, spec_of
from optlab.reporting.html import table
from optlab.reporting.page import Page, versions
from optlab.reporting.style import style


def figure_of(name: str, result: xr.Dataset) -> Figure:
    """The figure of an experiment's result, in the project's style."""
    with style():
        figure: Figure = import_module(f"optlab.reporting.figures.questions.{name}").draw(result)
    return figure


def write_page(experiment: Experiment, result: xr.Dataset, folder: str | Path, command: str) -> Path:
    """Write ``folder/index.html``, its figure and its netCDF file; returns the page's path.

    Raises OptlabError where the folder cannot be written to.
    """
    page, name = Page(Path(folder)), experiment.name
    with style():
        drawn = page.figure(name, figure_of(name, result), experiment.question)
    page.data(name, result)
    found = experiment.tables(result)
    about = (import_module(f"optlab.experiments.questions.{name}").__doc__ or "").strip().replace("\n", " ").replace("``", "")
    context = {
        "title": result.attrs["title"], "about": about, "findings": experiment.findings(result), "figure": drawn,
        "tables": [(one.title.capitalize(), table(one.headers, one.rows, text=tuple(one.words), caption=one.title)) for one in found],
        "command": command, "computed": result.attrs["cells_computed"], "read": result.attrs["cells_read"],
        "methods": [value for key, value in result.attrs.items() if key.endswith("_method")], "versions": versions(),
        "spec": json.dumps(spec_of(result), indent=2), "file": page.files[-1], "version": __version__,
    }  # fmt: skip
    return page.page("experiment.html.j2", context)
