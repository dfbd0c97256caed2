"""The theory page: everything that is derived of the built-in rules and normalizations, and every bound with its measured slack."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp
from markupsafe import Markup

from optlab import bounds, norms, rules, schedules
from optlab._version import __version__
from optlab.analysis import analyze, free_parameters, is_linear
from optlab.analysis.optimal import Optimal
from optlab.errors import CheckFailed
from optlab.expressions import Rule, Schedule
from optlab.printing import text
from optlab.reporting import derivation
from optlab.reporting.derivation import Part
from optlab.reporting.explorer import panel
from optlab.reporting.figures.minimax import draw_landscapes, draw_rates
from optlab.reporting.html import greek, number, table, verdict
from optlab.reporting.mathml import equations, mathml
from optlab.reporting.page import Page, versions
from optlab.reporting.parts import part_view
from optlab.reporting.style import color_of, new_figure, style
from optlab.verify.slack import Slack, measure_slack

KAPPA = 100
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class TheoryResult:
    """A written theory page: where it is, its findings (HTML), whether every certificate and bound held, and how long it took."""

    path: Path
    findings: tuple[str, ...]
    holds: bool
    duration: float


def theory(
    *, out: str | Path = "reports/theory", draws: int = 105, progress: Progress | None = None, command: str = "optlab theory"
) -> TheoryResult:
    """Derive everything of every built-in rule and normalization, measure every bound's slack, and write ``out/index.html``.

    ``draws`` is the number of problems that each bound is measured on.

    Raises OptlabError if the folder cannot be written, CheckFailed if a bound is violated or a certificate does not hold.
    """
    started = time.perf_counter()
    page = Page(Path(out))
    chosen, normalizations, names = rules.builtin(), [norms.get(name) for name in norms.names()], bounds.names()
    total, done = len(chosen) + len(normalizations) + len(names), 0

    def tick(label: str) -> None:
        nonlocal done
        if progress:
            progress(done, total, label)
        done += 1

    parts: dict[str, list[Part]] = {}
    for rule in chosen:
        tick(rule.name)
        parts[rule.name] = derivation.rule_parts(rule)
    for norm in normalizations:
        tick(norm.name)
        parts[norm.name] = derivation.norm_parts(norm)
    derived = time.perf_counter() - started
    slacks: dict[str, Slack] = {}
    for name in names:
        tick(name)
        if bounds.get(name).explicit:
            slacks[name] = measure_slack(name, draws=draws)
    measured = time.perf_counter() - started - derived
    linear = [rule for rule in chosen if is_linear(rule)]
    tuned = {rule.name: analyze(rule).optimal() for rule in linear}
    failing = [name for name, item in tuned.items() if item.certificate is None or not item.certificate.holds]
    if failing:
        raise CheckFailed(f"the certificate of the minimax tuning does not hold for {', '.join(failing)}")

    def card(rule: Rule) -> dict[str, Any]:
        return _card(
            rule.name, rule.summary, rule.reference, parts[rule.name], open_parts=["mode"], equations=equations(rule),
            color=color_of(rule.name, chosen.index(rule)),
        )  # fmt: skip

    batches = derivation.batch_part()
    scheduled = [*map(_schedule_card, schedules.builtin()), _card("mini-batches", batches.title, "", [batches], open_parts=[batches.name])]
    normalized = [_card(norm.name, norm.summary, norm.reference, parts[norm.name], open_parts=["forward"]) for norm in normalizations]
    with style():
        context = {
            "title": "What follows from an optimizer's equations",
            "findings": _findings(tuned, parts, slacks),
            "kappas": ", ".join(f"{k:g}" for k in next(iter(tuned.values())).certificate.condition_numbers),  # type: ignore[union-attr]
            "tuning": _tuning_table(tuned),
            "landscapes": _landscapes(page, linear),
            "rates": _rates(page, linear),
            "explorer": panel(),
            "groups": [
                _group("linear", "Linear rules", LINEAR, [card(rule) for rule in linear]),
                _group("adaptive", "Adaptive rules", ADAPTIVE, [card(rule) for rule in chosen if rule not in linear]),
                _group("schedules", "Schedules and mini-batches", SCHEDULES, scheduled),
                _group("norms", "Normalizations", NORMS, normalized),
            ],
            "bounds": _bounds_table(slacks),
            "made": {"command": command, "derived": f"{derived:.1f} s", "measured": f"{measured:.0f} s", "versions": versions()},
            "version": __version__,
        }  # fmt: skip
        path = page.page("theory.html.j2", context)
    if progress:
        progress(total, total, "written")
    return TheoryResult(path, tuple(map(str, context["findings"])), True, time.perf_counter() - started)


LINEAR = (
    "Their update is linear in state and gradient, so on one eigen-direction f = λθ²/2 everything follows from one matrix: "
    "nothing below was told, all of it is computed from the equations."
)
ADAPTIVE = (
    "Their step is divided by a scale that the gradients make, so no one matrix describes them. What can be derived is: the first step, "
    "stability with the scale held fixed, the minimum, cycles, noise, weight decay. Each line says how it is known."
)
SCHEDULES = "The area under a schedule is the length of the path that it allows; what a batch does to variance and to stability."
NORMS = "Forward as ordered mean reductions and a scalar map; backward derived from it by the reverse chain rule."


def _group(name: str, title: str, text: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": name, "title": title, "text": text, "cards": items}


def _card(
    name: str,
    summary: str,
    reference: str,
    parts: Sequence[Part],
    *,
    open_parts: Sequence[str],
    equations: str = "",
    color: str = "#7F7F7F",
) -> dict[str, Any]:
    """What the template shows of one definition; ``open_parts`` are shown at once, the others on demand."""
    shown = [part_view(part, part.name in open_parts) for part in parts]
    return {"name": name, "summary": summary, "equations": equations, "reference": reference, "color": color, "parts": shown}


def _schedule_card(schedule: Schedule) -> dict[str, Any]:
    return _card(schedule.name, schedule.summary, schedule.reference, derivation.schedule_parts(schedule), open_parts=["schedule"])


def _tuning_table(tuned: dict[str, Optimal]) -> Markup:
    rows = []
    for name, item in tuned.items():
        at = item.at(1.0, float(KAPPA))
        values = Markup(", ").join(
            Markup("{} = {}").format("β" if key == "beta" else key, Markup(mathml(value))) for key, value in item.parameters.items()
        )
        holds = item.certificate is not None and item.certificate.holds
        rows.append((
            name, _formula(item.alpha), values or "–", _formula(item.rate), number(at["rate"], 5),
            number(np.log(10) / -np.log(at["rate"]), 4), verdict(holds, "holds", "fails"),
        ))  # fmt: skip
    headers = ("rule", "α", "hyper-parameters", "error × per step", f"at κ = {KAPPA}", "steps per digit", "certificate")
    return table(headers, rows, text=(0, 1, 2, 3, 6))


def _formula(value: sp.Expr | None) -> str:
    return "–" if value is None else Markup(mathml(value))


def _landscapes(page: Page, linear: Sequence[Rule]) -> dict[str, str]:
    chosen = [rule for rule in linear if len(free_parameters(rule)) == 1]
    caption = (
        f"The worst rate over [μ, L] at κ = {KAPPA}, as a speed relative to the best (1 in yellow; white diverges). "
        "The star is the derived optimum: it lies at a corner, where three inequalities meet."
    )
    return {"svg": page.figure("minimax-landscape", draw_landscapes(chosen, KAPPA), caption), "caption": caption}


def _rates(page: Page, linear: Sequence[Rule]) -> dict[str, str]:
    caption = "Steps for each decimal digit of the error at the best tuning: proportional to κ for sgd, to √κ for the others."
    figure = new_figure(7, 3.6)
    draw_rates(list(linear), figure.subplots())
    return {"svg": page.figure("minimax-rates", figure, caption), "caption": caption}


def _bounds_table(slacks: dict[str, Slack]) -> Markup:
    rows = []
    for name in bounds.names():
        bound, slack = bounds.get(name), slacks.get(name)
        proof = f"{bound.status}, {len(bound.obligations)} steps verified" if bound.obligations else bound.status
        measured = (
            (number(slack.largest, 6), number(slack.median, 2), slack.worst.partition(":")[0]) if slack else ("–", "–", "no constant")
        )
        formula = Markup(mathml(bound.expression))
        rows.append((name.replace("_", " "), greek(bound.measures), formula, proof, *measured, bound.reference))
    headers = ("bound", "of", "formula", "known", "largest", "median", "worst drawn problem", "reference")
    return table(headers, rows, text=(0, 1, 2, 3, 6, 7))


def _findings(tuned: dict[str, Optimal], parts: dict[str, list[Part]], slacks: dict[str, Slack]) -> list[str]:
    steps = {name: np.log(10) / -np.log(item.at(1.0, float(KAPPA))["rate"]) for name, item in tuned.items()}
    ordered = ", ".join(f"{name} {value:.3g}" for name, value in sorted(steps.items(), key=lambda pair: pair[1]))
    out = [f"Best possible worst-case steps per decimal digit at κ = {KAPPA}: {ordered}."]
    lines = {(name, line.name): line for name, group in parts.items() for part in group for line in part.lines}
    ratio, threshold = lines.get(("adam", "uncorrected_ratio")), lines.get(("adam", "sharpness_threshold"))
    defaults = rules.get("adam").values
    if ratio is not None:
        value = float(ratio.expression.xreplace(defaults))
        out.append(f"Without bias correction Adam's first step is {value:.4g} times the corrected one: larger, not smaller.")
    if threshold is not None:
        limit = text(threshold.expression.xreplace(defaults)).replace("alpha", "α")
        out.append(f"With its scale held fixed Adam is stable up to a preconditioned sharpness of {limit}.")
    met = [name.replace("_", " ") for name, slack in slacks.items() if slack.largest > 1 - 1e-9]
    out.append(f"{len(slacks)} bounds hold on every problem drawn; attained there: {', '.join(met)}.")
    return out
