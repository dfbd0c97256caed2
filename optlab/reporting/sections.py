"""What each section of the convergence report says: sentences, tables and figures from results."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from optlab.analysis import analyze, free_parameters, is_linear
from optlab.analysis.tuning import tune
from optlab.experiments.comparison import Comparison
from optlab.experiments.line_fit import Row
from optlab.experiments.paths import Path as RavinePath
from optlab.experiments.regimes import Slope
from optlab.experiments.spec import LineFit, Quadratics, Ravine, Regimes
from optlab.expressions import Rule
from optlab.reporting.figures.comparison import Panel, draw_comparison, draw_panels
from optlab.reporting.figures.line_fit import draw_line_fit, row_label
from optlab.reporting.figures.ravine import draw_ravine
from optlab.reporting.figures.regimes import draw_regimes
from optlab.reporting.html import number, table, verdict
from optlab.reporting.mathml import equations, mathml
from optlab.reporting.results import Results
from optlab.reporting.style import color_of

Save = Callable[[str, Figure, str], str]


def rule_cards(chosen: Sequence[Rule], kappas: Sequence[float]) -> list[dict[str, Any]]:
    """A card per rule: its equations and what follows from them."""
    out = []
    for position, rule in enumerate(chosen):
        facts: list[tuple[str, str]] = []
        note = ""
        if is_linear(rule):
            mode = analyze(rule)
            items = mode.items()
            if "stability_limit" in items:
                facts.append(("stable for 0 < α <", mathml(mode.stability_limit)))
            facts.append(("one step", mathml(mode.transition_matrix)))
            facts.append(("stationary Var θ", mathml(mode.stationary_variance)))
            for kappa in kappas:
                tuned = tune(rule, 1 / kappa, 1.0)
                values = ", ".join(f"{name} = {value:.4g}" for name, value in {"α": tuned.alpha, **tuned.parameters}.items())
                facts.append((f"best at κ = {kappa:g}", f"{values.replace('beta', 'β')}: error × {tuned.rate:.5f} per step"))
            if not free_parameters(rule) and rule.parameters:
                note = "Its hyper-parameters are bound, so only α is tuned."
        else:
            note = "Not linear in the gradient: no transition matrix and no exact expectation; simulated below."
        shown = ", ".join(f"{_letter(str(p))} = {float(v):g}" for p, v in rule.values.items())
        if shown:
            facts.insert(0, ("defaults", shown))
        out.append({
            "name": rule.label(), "summary": rule.summary, "equations": equations(rule),
            "facts": facts, "note": note, "reference": rule.reference, "color": color_of(rule.name, position),
        })  # fmt: skip
    return out


def _letter(name: str) -> str:
    return name.replace("beta", "β").replace("eps", "ε")


def quadratics(spec: Quadratics, compared: Sequence[Comparison], save: Save) -> dict[str, Any]:
    """The comparison section."""
    shape = "rotated" if spec.rotation is not None else "axis-aligned"
    about = (
        f"f = ½ Σ λᵢ θᵢ² in {spec.dim} dimensions ({shape}, {spec.spectrum} spectrum from 1/κ to 1), gradient noise of variance "
        f"{spec.noise:g}² per sample and coordinate, batch {spec.batch}, {spec.steps:,} steps, {spec.trajectories:,} runs of each rule. Every rule "
        "runs at the constant learning rate that leaves the least expected loss after these steps: found from the exact prediction for "
        "linear rules (momentum at its noiseless minimax value), by simulation over half-decades for the others. The rate columns "
        "compare the noiseless minimax tuning's derived factor per step with the one measured without noise; on a double root the "
        "measured factor approaches the derived one only like 1/t. The minimum lies at 0, so weight decay helps here by construction."
    )
    cases = []
    for item in compared:
        name = f"quadratic-kappa-{item.kappa:g}"
        final = sorted((float(e.simulated.loss_mean[-1]), e.rule.name) for e in item.entries)
        caption = (
            f"Expected loss by step at condition number {item.kappa:g}. Least after {spec.steps:,} steps: {final[0][1]} at {final[0][0]:.4g}; "
            f"most: {final[-1][1]} at {final[-1][0]:.4g}."
        )
        vacuous = [e for e in item.entries if e.bound is not None and e.bound[-1] > float(e.simulated.loss_mean[0])]
        if vacuous:
            caption += " The bound's noise floor exceeds the starting loss here: at this step size it promises nothing."
        rows = []
        for entry in item.entries:
            last = entry.simulated.isel(step=-1)
            rows.append((
                entry.rule.label(), number(entry.alpha), f"{number(float(last.loss_mean))} ± {number(1.96 * float(last.loss_standard_error), 2)}",
                number(float(entry.exact.loss_mean[-1])) if entry.exact is not None else "–",
                number(float(entry.bound[-1])) if entry.bound is not None else "–",
                number(entry.tuned_alpha), number(entry.tuned_rate, 6), number(entry.measured_rate, 6), number(float(last.diverged)),
            ))  # fmt: skip
        headers = ("rule", "α used", "final loss (95 %)", "exact", "bound", "noiseless best α", "derived rate", "measured rate", "diverged")
        svg = save(name, draw_comparison(item), caption)
        cases.append({"kappa": f"{item.kappa:g}", "svg": svg, "caption": caption, "table": table(headers, rows)})
    return {"text": about, "cases": cases}


def agreement(results: Results) -> Markup | None:
    """The table of z-scores."""
    lines = [
        (
            a.rule,
            a.problem,
            a.points,
            number(a.largest, 3),
            a.at_step,
            number(a.threshold, 3),
            verdict(a.holds, "agrees" if math.isfinite(a.threshold) else "too few runs", "DISAGREES"),
        )
        for a in results.agreements()
    ]
    return table(("rule", "problem", "points", "largest |z|", "at step", "limit", "verdict"), lines, text=(0, 1, 6))


def own_problems(results: Results, save: Save) -> list[dict[str, Any]]:
    """A section for each problem of one's own."""
    out = []
    for place, own in enumerate(results.own, 1):
        how = (
            "each rule at the best learning rate of a grid of half-decades"
            if own.searched
            else f"all under {own.entries[0].schedule.label()}"
        )
        attrs = own.entries[0].simulated.attrs
        text = f"{own.problem.label()}; {attrs['steps']:,} steps of batch {attrs['batch']}, {attrs['trajectories']:,} runs, {how}."
        rows = []
        for entry in own.entries:
            last = entry.simulated.isel(step=-1)
            exact = number(float(entry.exact.loss_mean[-1])) if entry.exact is not None else "–"
            mean = f"{number(float(last.loss_mean))} ± {number(1.96 * float(last.loss_standard_error), 2)}"
            rows.append((entry.rule.label(), entry.schedule.label(), mean, exact, number(float(last.diverged))))
        caption = f"Loss by step on {own.name}."
        panels = [Panel(e.rule.label(), e.rule.name, e.simulated, e.exact) for e in own.entries]
        svg = save(f"problem-{place}", draw_panels(panels), caption)
        headers = ("rule", "schedule", "final loss (95 %)", "exact", "diverged")
        out.append({"name": own.name, "text": text, "svg": svg, "caption": caption, "table": table(headers, rows, text=(0, 1))})
    return out


def regimes(spec: Regimes, slopes: Sequence[Slope], save: Save) -> dict[str, Any]:
    """The section on decaying step sizes."""
    text = (
        f"SGD on a quadratic of condition number {spec.condition_number:g} in {spec.dim} dimensions with noise {spec.noise:g}, {spec.trajectories:,} runs. "
        "A slope of log loss on log T is fitted only where theory's own local slope is within 0.02 of its limit; before that a fit would "
        "measure the transient. The interval is Student's, 99 %, over independent replicates; a slope agrees if the limit lies within it "
        "widened by that 0.02."
    )
    rows = []
    for slope in slopes:
        window = f"{slope.window[0]:,} – {slope.window[1]:,}" if slope.window else "never within 0.02"
        interval = f"{number(slope.slope)} ± {number(slope.half_width, 2)}" if slope.slope is not None else "–"
        worst = float(np.nanmax((slope.bounded / slope.bound)[1:]))
        ok = verdict(bool(slope.contains_limit), "agrees", "differs") if slope.contains_limit is not None else "–"
        rows.append(
            (
                slope.schedule.label(),
                window,
                interval,
                number(slope.theory_slope),
                f"{slope.limit:g}".replace("-", "−"),
                ok,
                slope.bound_name,
                number(worst, 3),
            )
        )
    headers = ("schedule", "steps fitted", "slope (99 %)", "slope of the exact curve", "limit", "verdict", "bound", "largest exact/bound")
    caption = (
        "Simulated and exact expected loss under decaying step sizes, with the bounds of the literature. Shaded: where the slope is fitted."
    )
    svg = save("regimes", draw_regimes(list(slopes)), caption)
    return {"text": text, "svg": svg, "caption": caption, "table": table(headers, rows, text=(0, 5, 6))}


def ravine(spec: Ravine, paths: Sequence[RavinePath], save: Save) -> dict[str, Any]:
    """The section with the contours."""
    text = (
        f"f = (x²/κ + y²)/2 with κ = {spec.kappa:g}, no noise, {spec.steps} steps from (−1, 0.6). Linear rules run at their minimax tuning, the others at "
        "the best learning rate of a grid. A sign change is two successive steps in opposite directions along the stiff coordinate y."
    )
    rows = [(p.rule, number(p.alpha), p.sign_changes, number(p.final_loss, 3)) for p in paths]
    caption = "Paths over the contours of a ravine; the star is the minimum."
    svg = save("ravine", draw_ravine(list(paths), spec.kappa), caption)
    return {
        "text": text,
        "svg": svg,
        "caption": caption,
        "table": table(("rule", "α", "sign changes of the stiff step", "final loss"), rows),
    }


def line(spec: LineFit, rows: Sequence[Row], save: Save) -> dict[str, Any]:
    """The numerical example."""
    text = (
        f"y = w x + b with w* = 2, b* = 1, x uniform on (−1, 1), α = {spec.alpha:g}, batch {spec.batch}, {spec.steps} steps, {spec.runs:,} runs of each. The source "
        "article claims w 1.95 and b 0.99 for SGD, w 1.999 and b 1.000 for Adam, and names neither the convention of the squared error "
        "(½ or 1), nor label noise, nor a start. Each reading is a row. ± is the standard deviation over runs; a claimed number is in "
        "reach if it lies within two of them (rounding included) of the mean."
    )
    lines = []
    for row in rows:
        reach = row.claim_in_spread
        exact = f"{row.exact[0]:.4f}, {row.exact[1]:.4f}" if row.exact else "–"
        lines.append((
            row.rule, row_label(row), f"{row.claim[0]:g}, {row.claim[1]:.3f}", f"{row.mean[0]:.4f} ± {row.sd[0]:.4f}", f"{row.mean[1]:.4f} ± {row.sd[1]:.4f}",
            exact, verdict(reach[0]), verdict(reach[1]),
        ))  # fmt: skip
    headers = ("rule", "reading", "claimed w, b", "measured w", "measured b", "exact mean w, b", "w in reach", "b in reach")
    caption = "Where the runs end: mean and two standard deviations over runs, the true value (line) and the claimed one (dots)."
    svg = save("line-fit", draw_line_fit(list(rows)), caption)
    return {"text": text, "svg": svg, "caption": caption, "table": table(headers, lines, text=(0, 1))}
