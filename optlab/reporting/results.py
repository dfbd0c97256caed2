"""Everything that a report has found, before it is written."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from optlab.ensemble.agreement import Agreement
from optlab.experiments.comparison import Comparison
from optlab.experiments.line_fit import Row
from optlab.experiments.own_problem import OwnProblem
from optlab.experiments.paths import Path
from optlab.experiments.regimes import Slope


@dataclass(frozen=True)
class Results:
    """The results of every section; sections that were not asked for are empty."""

    compared: list[Comparison]
    own: list[OwnProblem]
    slopes: list[Slope]
    rows: list[Row]
    paths: list[Path]
    advice: xr.Dataset | None

    def agreements(self) -> list[Agreement]:
        """Every check of simulation against exact prediction."""
        out = [entry.agreement for item in self.compared for entry in item.entries if entry.agreement]
        out += [entry.agreement for item in self.own for entry in item.entries if entry.agreement]
        return out + [slope.agreement for slope in self.slopes] + [row.agreement for row in self.rows if row.agreement]
