"""The Rosetta page: every rule in every library, each cell with its equations, its map and proof, or where the two part."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sympy as sp
from markupsafe import Markup, escape

from optlab import norms, rules, schedules
from optlab._version import __version__
from optlab.dialects import spellings
from optlab.expressions import Rule
from optlab.libraries import LIBRARIES
from optlab.reporting.html import greek, table
from optlab.reporting.mathml import equations, mathml
from optlab.reporting.page import Page
from optlab.reporting.style import color_of
from optlab.rosetta.compare import Verdict, between_libraries, compare
from optlab.rosetta.forms import own
from optlab.rosetta.norms import NormVerdict, norm_matrix, running_of
from optlab.rosetta.part import paths
from optlab.rosetta.schedules import ScheduleVerdict, schedule_matrix

Progress = Callable[[int, int, str], None]
VERSIONS = "torch 2.13.0, optax 0.2.8, keras 3.15.1"
WORDS = {"identical": "identical", "mapped": "mapped", "impossible": "impossible"}
SIGNS = {"identical": "=", "mapped": "≈", "impossible": "≠"}
_WIDE, _HIGH, _EDGE = 300, 120, 6


@dataclass(frozen=True)
class RosettaResult:
    """A written page: where it is, what it found in a few lines, and how long it took."""

    path: Path
    findings: tuple[str, ...]
    duration: float


def rosetta_report(
    *,
    out: str | Path = "reports/rosetta",
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
    command: str = "optlab rosetta --report",
) -> RosettaResult:
    """Compare every rule, schedule and normalization with torch, optax and keras, and write ``out/index.html``.

    ``names`` keeps the rules that are named. The page is one file: no scripts, no images from elsewhere, the same bytes every time.

    Raises OptlabError if the folder cannot be written.
    """
    started = time.perf_counter()
    page = Page(Path(out), figures=False)
    chosen = [rule for rule in rules.builtin() if names is None or rule.name in names]
    total, verdicts, cards = len(chosen) + 1, [], []
    for done, rule in enumerate(chosen):
        if progress:
            progress(done, total, rule.name)
        own_cells = [compare(own(rule), library) for library in LIBRARIES]
        verdicts += own_cells
        cards.append(_rule_card(rule, own_cells, between_libraries(rule), color_of(rule.name, done)))
    if progress:
        progress(len(chosen), total, "schedules")
    scheduled, layers = schedule_matrix(), norm_matrix()
    counted = {kind: sum(v.kind == kind for v in verdicts) for kind in WORDS}
    findings = _findings(verdicts, counted)
    context = {
        "title": "The Rosetta stone of optimizers",
        "libraries": LIBRARIES,
        "findings": findings,
        "rows": [_row(rule.name, [v for v in verdicts if v.source.form.base.name == rule.name]) for rule in chosen],
        "cards": cards,
        "schedules": [_schedule_card(name, [v for v in scheduled if v.source == name]) for name in schedules.names()],
        "schedule_rows": _other_rows("schedule", scheduled),
        "norms": [_norm_card(name, [v for v in layers if v.source == name]) for name in norms.names()],
        "norm_rows": _other_rows("norm", layers),
        "command": command,
        "versions": f"optlab {__version__}; the dialects are those of {VERSIONS}",
        "version": __version__,
    }
    path = page.page("rosetta.html.j2", context)
    if progress:
        progress(total, total, "written")
    return RosettaResult(path, tuple(findings), time.perf_counter() - started)


def _findings(verdicts: list[Verdict], counted: dict[str, int]) -> list[str]:
    eps = [f"{v.source.form.base.name} in {v.library}" for v in verdicts if v.kind == "impossible" and v.agree_where.startswith("eps = 0")]
    rate = [f"{v.source.form.base.name} in {v.library}" for v in verdicts if "constant learning rate" in v.conditions]
    proved = sum(v.proved for v in verdicts)
    return [
        f"{len(verdicts)} pairs of a rule and a library: {counted['identical']} identical, {counted['mapped']} equal after mapping "
        f"hyper-parameters, {counted['impossible']} impossible. {proved} equalities are proved by induction over the steps.",
        f"Where eps stands is what divides most: {', '.join(eps)} agree only at ε = 0.",
        f"Whether the learning rate stands inside the velocity shows when it changes: {', '.join(rate)}.",
        "For each pair that differs, the shortest sequence of gradients that shows it is below: mostly one number.",
    ]


def _row(rule: str, verdicts: list[Verdict]) -> dict[str, Any]:
    return {"name": rule, "anchor": rule, "cells": [_cell(rule, verdict) for verdict in verdicts]}


def _cell(rule: str, verdict: Verdict) -> dict[str, str]:
    aside = " and ".join(verdict.conditions)
    where = f"equal only at {greek(verdict.agree_where)}" if verdict.agree_where else ""
    missing = "no such call" if verdict.kind == "impossible" and not verdict.target else ""
    if verdict.kind == "impossible" and not missing and not where:
        where = ", ".join(greek(part.partition(":")[0]) for part in verdict.why.split("; "))
    short = _short(verdict.map_text()) or ("" if aside else "other defaults") if verdict.kind == "mapped" else ""
    return {
        "kind": "none" if missing else verdict.kind, "sign": "–" if missing else SIGNS[verdict.kind], "anchor": f"{rule}-{verdict.library}",
        "word": missing or WORDS[verdict.kind], "aside": f"for {aside}" if aside else where, "short": short,
    }  # fmt: skip


def _short(mapping: str) -> str:
    parts = [part for part in mapping.split(", ") if not _plain(part)]
    return ", ".join(parts[:2]) + (", …" if len(parts) > 2 else "")


def _plain(part: str) -> bool:
    """Whether a part of a map only renames."""
    name, _, value = part.partition(" = ")
    return value.isidentifier() and value not in ("True", "False") and not name.startswith("eps_root")


def _rule_card(rule: Rule, cells: list[Verdict], between: list[Verdict], color: str) -> dict[str, Any]:
    return {
        "name": rule.name, "summary": rule.summary, "reference": rule.reference, "color": color, "equations": Markup(equations(rule)),
        "cells": [_detail(rule.name, verdict) for verdict in cells],
        "between": [_between(verdict) for verdict in between],
    }  # fmt: skip


def _detail(rule: str, verdict: Verdict) -> dict[str, Any]:
    cell, target = _cell(rule, verdict), verdict.target
    body = Markup(equations(target.form.rule)) if target else ""
    return cell | {
        "library": verdict.library, "line": verdict.line, "equations": body, "map": _map(verdict.mapping), "proof": _proof(verdict),
        "why": greek(verdict.why), "parting": _parting(verdict), "plot": _plot(verdict),
        "differs": verdict.kind == "impossible", "conditions": " and ".join(verdict.conditions), "agree": greek(verdict.agree_where),
    }  # fmt: skip


def _map(mapping: dict[str, sp.Expr]) -> Markup | str:
    if not mapping:
        return ""
    rows = [(Markup("<code>{}</code>").format(name), Markup(mathml(value))) for name, value in mapping.items()]
    return table(("option", "is"), rows, text=(0, 1))


def _proof(verdict: Verdict) -> Markup | str:
    if not verdict.proved or verdict.proof is None:
        return ""
    states = [Markup("{} ↦ {}").format(Markup(mathml(key)), Markup(mathml(value))) for key, value in verdict.proof.states.items()]
    moved = verdict.proof.point != sp.Symbol("theta", real=True)
    place = Markup("; its parameter is {}").format(Markup(mathml(verdict.proof.point))) if moved else ""
    shown = Markup("By induction over the steps, with the library's states {}").format(Markup(", ").join(states))
    return Markup("{}{}.").format(shown if states else "By induction over the steps; there are no states", place)


def _parting(verdict: Verdict) -> Markup | str:
    found = verdict.parting
    if found is None:
        return ""
    rates = [f"{rate:g}" for rate in found.rates]
    rows = [
        (number, f"{gradient:g}", rate, f"{ours:.9g}", f"{theirs:.9g}")
        for number, (gradient, rate, ours, theirs) in enumerate(
            zip(found.gradients, rates, found.ours[1:], found.theirs[1:], strict=True), 1
        )
    ]
    return Markup("<p>They part at step {}, from θ = 1:</p>{}").format(
        found.step, table(("step", "gradient", "α", "θ, the rule", f"θ, {verdict.library}"), rows, text=())
    )


def _plot(verdict: Verdict) -> Markup | str:
    if verdict.parting is None or verdict.target is None:
        return ""
    found = verdict.parting
    if verdict.kind == "impossible":
        one, other = paths(verdict.source, verdict.target)
        caption = "both on f = θ²/2 from θ = 1 with α = 0.1, 40 steps"
        if max(abs(a - b) for a, b in zip(one, other, strict=True)) < 0.01 * max(map(abs, one)):
            one, other, caption = list(found.ours), list(found.theirs), "θ over the steps of the table"
    else:
        one, other, caption = list(found.ours), list(found.theirs), "θ over the steps of the table"
    return svg_of(one, other, (verdict.source.form.base.name, verdict.library), caption)


def svg_of(one: list[float], other: list[float], names: tuple[str, str], caption: str) -> Markup:
    """Two paths in a small picture that takes its colors from the page; the same text every time."""
    low, high = min(*one, *other), max(*one, *other)
    span = high - low or 1.0

    def line(path: list[float]) -> str:
        step = (_WIDE - 2 * _EDGE) / max(len(path) - 1, 1)
        places = ((_EDGE + n * step, _EDGE + (high - value) / span * (_HIGH - 2 * _EDGE)) for n, value in enumerate(path))
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)

    label = escape(f"θ by step for {names[0]} and for {names[1]}: {caption}")
    return Markup(
        '<figure class="small"><svg viewBox="0 0 {w} {h}" role="img" aria-label="{label}"><polyline class="ours" points="{a}"/>'
        '<polyline class="theirs" points="{b}"/></svg><figcaption><span class="ours">{one}</span>, <span class="theirs">{other}</span>: '
        "{caption}; θ from {low} to {high}</figcaption></figure>"
    ).format(
        w=_WIDE, h=_HIGH, label=label, a=line(one), b=line(other), one=names[0], other=names[1], caption=caption,
        low=f"{low:.4g}", high=f"{high:.4g}",
    )  # fmt: skip


def _between(verdict: Verdict) -> tuple[Any, ...]:
    aside = " and ".join(verdict.conditions) or (f"equal only at {verdict.agree_where}" if verdict.agree_where else "")
    apart = verdict.parting.text() if verdict.parting else ""
    mark = Markup('<span class="{}">{} {}</span>').format(verdict.kind, SIGNS[verdict.kind], verdict.kind)
    code = Markup("<code>{}</code>").format(verdict.line) if verdict.line else "–"
    return (verdict.source.form.library, verdict.library, mark, code, greek(aside), greek(apart))


def _other_rows(prefix: str, verdicts: list[Any]) -> list[dict[str, Any]]:
    names = list(dict.fromkeys(verdict.source for verdict in verdicts))
    rows = []
    for name in names:
        anchor = f"{prefix}-{name}"
        rows.append({"name": name, "anchor": anchor, "cells": [_other_cell(v) | {"anchor": anchor} for v in verdicts if v.source == name]})
    return rows


def _other_cell(verdict: ScheduleVerdict | NormVerdict) -> dict[str, str]:
    missing = verdict.kind == "impossible" and not verdict.call
    return {
        "kind": "none" if missing else verdict.kind, "sign": "–" if missing else SIGNS[verdict.kind],
        "word": "no such call" if missing else WORDS[verdict.kind], "aside": greek(", ".join(verdict.conditions)), "short": "",
    }  # fmt: skip


def _schedule_card(name: str, verdicts: list[ScheduleVerdict]) -> dict[str, Any]:
    schedule = schedules.get(name)
    cells = []
    for verdict in verdicts:
        if not verdict.call:
            continue
        (dialect,) = spellings(schedule.dialects[verdict.library])
        apart = ""
        if verdict.apart:
            step, ours, theirs = verdict.apart
            apart = f"They part at step {step} (from 0), at peak 0.1 over 11 steps: {ours:.5g} against {theirs:.5g}."
        plot = svg_of(list(verdict.rates[0]), list(verdict.rates[1]), (name, verdict.library), "learning rates") if verdict.apart else ""
        cells.append(_other_cell(verdict) | {
            "library": verdict.library, "line": verdict.call, "equations": Markup(mathml(dialect.expression, display=True)),
            "map": _map(verdict.mapping), "note": greek(verdict.note), "apart": apart, "plot": plot,
        })  # fmt: skip
    return {
        "name": name, "anchor": f"schedule-{name}", "summary": schedule.summary, "cells": cells,
        "equations": Markup(mathml(schedule.expression, display=True)),
    }  # fmt: skip


def _norm_card(name: str, verdicts: list[NormVerdict]) -> dict[str, Any]:
    norm = norms.get(name)
    cells = []
    for verdict in verdicts:
        if not verdict.call:
            continue
        rows = [
            (Markup("running {}").format(Markup(mathml(key))), Markup(mathml(value)))
            for key, value in running_of(norm, norm.dialects[verdict.library]).items()
        ]
        cells.append(_other_cell(verdict) | {
            "library": verdict.library, "line": verdict.line, "equations": table(("", "becomes"), rows, text=(0, 1)) if rows else "",
            "map": _map(verdict.mapping), "note": greek(verdict.note), "apart": "", "plot": "",
        })  # fmt: skip
    return {
        "name": name, "anchor": f"norm-{name}", "summary": norm.summary, "cells": cells,
        "equations": Markup(mathml(norm.forward, display=True)),
    }  # fmt: skip
