"""Advice on a table as a cell of a sweep, so that an interrupted report need not give it again."""

from __future__ import annotations

import hashlib
import json
import os
from functools import partial
from typing import Any

import xarray as xr

from optlab.data.tables import Table
from optlab.experiments.advise import advise
from optlab.experiments.sweep import Cell, engine_fingerprint


def advice_fingerprint() -> str:
    """A hash of the source that advice depends on."""
    return engine_fingerprint("data/tables.py", *(f"experiments/{name}.py" for name in ("advise", "step_search", "gradient_noise")))


def advice_cell(table: Table, **options: Any) -> Cell:
    """A cell whose result is the advice's curves, with everything else as JSON in the attribute ``advice``."""
    content = hashlib.sha256(
        table.features.tobytes() + table.target.tobytes() + repr((table.names, table.target_name)).encode()
    ).hexdigest()
    spec = {"kind": "advise", "engine": advice_fingerprint(), "table": content, "path": table.path} | options

    return Cell(f"advice on {os.path.basename(table.path)}", spec, partial(_advice, table, options))


def _advice(table: Table, options: dict[str, Any]) -> xr.Dataset:
    advice = advise(table, **options)
    return advice.dataset().assign_attrs(advice=json.dumps(advice.to_dict()))
