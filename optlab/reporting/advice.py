"""The report's section on a user's own table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr
from markupsafe import Markup
from matplotlib.figure import Figure

from optlab.reporting.figures.advice import draw_advice
from optlab.reporting.html import number, table


def advice_sentence(data: xr.Dataset) -> Markup:
    """The advice in one line."""
    advice = json.loads(data.attrs["advice"])
    best = min(advice["rules"], key=lambda item: item["excess"])
    out = Markup("{}: condition number {}; of the rules at constant steps {} at α = {} ends lowest").format(
        Path(advice["path"]).name, number(advice["condition_number"]), best["name"], number(best["alpha"])
    )
    recommended = advice["recommended"]
    if recommended and recommended["gain"]:
        out += Markup("; {} under {} leaves {} times less excess loss than a constant step").format(
            advice["schedule_rule"], recommended["name"], number(recommended["gain"], 3)
        )
    return out + Markup(".")


def advice_section(data: xr.Dataset, save: Callable[[str, Figure, str], str]) -> dict[str, Any]:
    """Facts, figure and tables of the advice."""
    advice = json.loads(data.attrs["advice"])
    noise = advice["noise"]
    state = "standardized" if advice["standardized"] else "raw columns"
    text = (
        f"A linear model of {advice['target']} on {advice['d'] - 1} features and an intercept, {advice['n']} rows, {state}; squared error "
        f"with the factor ½. Mini-batches of {advice['batch']} rows drawn without replacement, {advice['budget']} steps from 0, "
        f"{advice['trajectories']} runs. For linear rules the expected loss under real mini-batches is exact (dashed), so step sizes and "
        "peaks come from the prediction, not from a search by running. " + " ".join(advice["notes"])
    )
    raw, standard = advice["condition_number_raw"], advice["condition_number_standardized"]
    facts = table(
        ("quantity", "value"),
        [
            ("smallest and largest curvature", f"{number(advice['mu'])}, {number(advice['L'])}"),
            ("condition number", number(advice["condition_number"])),
            ("condition number, raw and standardized", f"{number(raw)}, {number(standard)}"),
            ("gradient noise σ² at the optimum (trace, one row)", number(noise["trace_at_optimum"])),
            ("gradient-noise scale at the start, tr C / |g|²", f"{number(noise['simple'])} rows"),
            ("scale of the noise floor, tr C / (2 L f*)", f"{number(noise['at_optimum'])} rows"),
            ("loss at the start and at the least-squares fit", f"{number(advice['start_loss'])}, {number(advice['minimum'])}"),
        ],
    )
    rows = []
    for item in advice["rules"]:
        tuned = ", ".join(f"{key} = {value:.4g}" for key, value in item["tuned_parameters"].items()) or "–"
        fate = "diverges" if item["tuned_alpha"] is not None and item["tuned_loss"] is None else number(item["tuned_loss"])
        values = (number(item["alpha"]), number(item["excess"]), item["found_by"], number(item["tuned_alpha"]), tuned)
        rows.append((item["rule"], *values, number(item["rate"], 6), fate))
    headers = ("rule", "best α", "excess loss", "found by", "noiseless α", "tuned", "rate per step", "its loss with this batch")
    schedules = [(s["schedule"], number(s["peak"]), number(s["excess"]), number(s["gain"], 3)) for s in advice["schedules"]]
    listed = table(("schedule", "peak α", "excess loss", "times less than constant"), schedules) if schedules else Markup("")
    caption = (
        "Simulated (solid, 95 % band) and exactly predicted (dashed) excess loss on this table, by rule and schedule, and its spectrum."
    )
    sentence = Markup("")
    if advice["recommended"]:
        sentence = Markup("<p>Recommended for this budget: <strong>{}</strong> with <code>{}</code>.</p>").format(
            advice["schedule_rule"], advice["recommended"]["schedule"]
        )
    return {
        "name": Path(advice["path"]).name, "text": text, "facts": facts, "caption": caption,
        "svg": save("table", draw_advice(data), caption), "table": table(headers, rows, text=(0, 3, 5)), "schedule": sentence + listed,
    }  # fmt: skip
