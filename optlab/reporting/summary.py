"""What a report says in one minute, as JSON, and as datasets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from markupsafe import Markup

from optlab.experiments.comparison import Entry
from optlab.experiments.own_problem import OwnEntry
from optlab.reporting.advice import advice_sentence
from optlab.reporting.figures.line_fit import row_label
from optlab.reporting.html import number
from optlab.reporting.results import Results


def findings(results: Results) -> list[Markup]:
    """The one-minute summary, computed from the results."""
    checks = results.agreements()
    out = []
    if checks:
        worst = max(checks, key=lambda a: a.largest / a.threshold)
        points = sum(a.points for a in checks)
        held = all(a.holds for a in checks)
        word = "agrees with" if held else "DISAGREES with"
        out.append(
            Markup("Simulation {} the exact prediction at {:,} points: largest |z| {}, limit {}.").format(
                word, points, number(worst.largest, 3), number(worst.threshold, 3)
            )
        )
    for item in results.compared:
        final = sorted((float(e.simulated.loss_mean[-1]), e.rule.name) for e in item.entries)
        spread = final[-1][0] / final[0][0] if final[0][0] > 0 else float("inf")
        decaying = {e.rule.name for e in item.entries if any(str(key) == "wd" and value != 0 for key, value in e.rule.values.items())}
        others = [name for _, name in final if name not in decaying]
        aside = f" ({final[0][1]} decays weights toward 0, where the minimum lies)" if final[0][1] in decaying else ""
        aside += f"; without decay, least is {others[0]}" if aside and others else ""
        out.append(
            Markup(
                "At κ = {:g}, with noise and each rule at its best constant step, the final losses of all {} rules "
                "lie within a factor {:.2f}; least is {}{}."
            ).format(item.kappa, len(final), spread, final[0][1], aside)
        )
    for own in results.own:
        final = sorted((float(e.simulated.loss_mean[-1]), e.rule.label()) for e in own.entries)
        out.append(
            Markup("{}: least loss {} by {}, most {} by {}.").format(
                own.name, *(x for loss, rule in (final[0], final[-1]) for x in (number(loss), rule))
            )
        )
    for slope in results.slopes:
        if slope.slope is not None:
            out.append(
                Markup("{}: fitted slope {} ± {} (limit {}).").format(
                    slope.schedule.name, number(slope.slope), number(slope.half_width, 2), number(slope.limit)
                )
            )
        else:
            out.append(
                Markup("{}: theory's slope never comes within 0.02 of {} in these steps, so none is fitted.").format(
                    slope.schedule.name, number(slope.limit)
                )
            )
    for name in dict.fromkeys(row.rule for row in results.rows):
        both = [row for row in results.rows if row.rule == name and all(row.claim_in_spread)]
        readings = sum(row.rule == name for row in results.rows)
        low, high = min(r.mean[0] for r in results.rows if r.rule == name), max(r.mean[0] for r in results.rows if r.rule == name)
        out.append(
            Markup(
                "Line fit, {}: mean w lies between {:.4f} and {:.4f} over {} readings; the claimed pair is in reach of {} of them."
            ).format(name, low, high, readings, len(both))
        )
    if results.advice is not None:
        out.append(advice_sentence(results.advice))
    return out


def numbers(results: Results) -> dict[str, Any]:
    """The results as JSON values."""
    return {
        "quadratics": [
            {
                "condition_number": item.kappa, "rule": e.rule.label(), "alpha": e.alpha, "loss": float(e.simulated.loss_mean[-1]),
                "standard_error": float(e.simulated.loss_standard_error[-1]),
                "derived_rate": e.tuned_rate, "measured_rate": e.measured_rate,
                "exact": None if e.exact is None else float(e.exact.loss_mean[-1]),
            }
            for item in results.compared for e in item.entries
        ],
        "problems": [
            {
                "name": item.name, "problem": item.problem.label(), "rule": e.rule.label(), "schedule": e.schedule.label(),
                "loss": float(e.simulated.loss_mean[-1]), "standard_error": float(e.simulated.loss_standard_error[-1]),
                "exact": None if e.exact is None else float(e.exact.loss_mean[-1]),
            }
            for item in results.own for e in item.entries
        ],
        "agreement": [
            {"rule": a.rule, "problem": a.problem, "points": a.points, "largest_z": a.largest, "limit": a.threshold, "holds": a.holds}
            for a in results.agreements()
        ],
        "regimes": [
            {"schedule": s.schedule.label(), "slope": s.slope, "half_width": s.half_width, "limit": s.limit, "window": s.window}
            for s in results.slopes
        ],
        "line_fit": [
            {
                "rule": r.rule, "convention": r.convention, "label_noise": r.label_noise, "start": r.start, "data": r.data,
                "mean": r.mean, "sd": r.sd, "exact": r.exact, "claim": r.claim,
            }
            for r in results.rows
        ],
        "ravine": [{"rule": p.rule, "alpha": p.alpha, "sign_changes": p.sign_changes, "loss": p.final_loss} for p in results.paths],
        "table": json.loads(results.advice.attrs["advice"]) if results.advice is not None else None,
    }  # fmt: skip


def datasets(results: Results) -> dict[str, xr.Dataset]:
    """The numbers behind the figures, one labelled dataset per section."""
    out = {}
    for item in results.compared:
        out[f"quadratic-kappa-{item.kappa:g}"] = _by_rule(item.entries).assign_attrs(problem=item.problem.label(), minimum=0.0)
    for number_, own in enumerate(results.own, 1):
        out[f"problem-{number_}"] = _by_rule(own.entries).assign_attrs(problem=own.problem.label())
    for slope in results.slopes:
        data = slope.simulated[["loss_mean", "loss_standard_error"]].drop_attrs()
        out[f"regime-{slope.schedule.name}"] = data.assign(
            loss_exact=slope.exact.loss_mean.drop_attrs(), bound=("step", slope.bound)
        ).assign_attrs(schedule=slope.schedule.label())
    if results.rows:
        coords = {"coordinate": ["w", "b"], "row": [f"{row.rule}: {row_label(row)}" for row in results.rows]}
        names = ("mean", "sd", "standard_error", "claim")
        out["line-fit"] = xr.Dataset(
            {name: (("row", "coordinate"), np.array([getattr(row, name) for row in results.rows])) for name in names}, coords
        )
    if results.advice is not None:
        out["table"] = results.advice
    return out


def _by_rule(entries: Sequence[Entry] | Sequence[OwnEntry]) -> xr.Dataset:
    """The curves of several rules as one dataset."""
    parts = []
    for entry in entries:
        data = entry.simulated.drop_attrs()
        exact = entry.exact.loss_mean.drop_attrs() if entry.exact is not None else xr.full_like(data.loss_mean, np.nan)
        parts.append(data.assign(loss_exact=exact).expand_dims(rule=[entry.rule.label()]))
    return xr.concat(parts, "rule")
