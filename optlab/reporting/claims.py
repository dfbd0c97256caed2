"""The page of claims: a summary that a reader grasps in a minute, and every claim with its numbers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from markupsafe import Markup

from optlab._version import __version__
from optlab.claims.record import Measured, Outcome, Setting, Verdict
from optlab.claims.run import Answer, run_claims
from optlab.experiments.store import Store
from optlab.experiments.sweep import Progress
from optlab.reporting.grid import machine
from optlab.reporting.html import number, table
from optlab.reporting.page import Page, versions
from optlab.reporting.style import style

NOTHING = Measured(*[float("nan")] * 3)
KINDS = {Verdict.HOLDS: "good", Verdict.FAILS: "bad"}


@dataclass(frozen=True)
class ClaimsReport:
    """A written page and the answers in it."""

    path: Path
    answers: list[Answer]
    duration: float


def claims(
    only: Sequence[int] | None = None, *, preset: str = "quick", rng: Any = 0, grid: str | Path = Setting.grid,
    out: str | Path = "reports/claims",
    store: str | Path | Store | None = None, cluster: str | None = None,
    progress: Progress | None = None, on_damage: Callable[[str], None] | None = None,
    command: str = "optlab claims",
) -> ClaimsReport:  # fmt: skip
    """Test the claims of the source article and write ``index.html`` with figures and data to the folder ``out``.

    The other arguments are those of :func:`optlab.claims.run.run_claims`.
    """
    started = time.perf_counter()
    page = Page(Path(out), held=True)
    figures: dict[int, str] = {}

    def drawn(answer: Answer) -> None:
        claim = answer.claim
        if answer.findings.numbers:
            draw = import_module(f"optlab.reporting.figures.claims.{claim.figure or claim.name}").draw
            page.data(claim.name, answer.findings.data)
            figures[claim.number] = page.figure(
                claim.name, draw(answer.findings.data), f"Figure of claim {claim.number}: {claim.statement}"
            )

    with style():
        answers = run_claims(
            only, preset=preset, rng=rng, grid=grid, store=store, cluster=cluster, progress=progress, on_damage=on_damage, answered=drawn
        )
    rows = [
        {
            "claim": answer.claim, "verdict": shown(answer.verdict), "figure": figures.get(answer.claim.number, ""),
            "parts": parts_table(answer), "where": answer.where, "remarks": answer.findings.remarks, "took": took(answer),
            "command": f"optlab claims --only {answer.claim.number}" + (f" --preset {preset}" if preset != "quick" else ""),
        }
        for answer in answers
    ]  # fmt: skip
    context = {
        "title": "What the article claims, tested", "rows": rows, "summary": summary_table(answers), "groups": groups(answers),
        "preset": preset, "machine": machine(), "version": __version__,
        "made": {"command": command, "duration": f"{time.perf_counter() - started:.0f} s", "versions": versions(),
                 "files": [f"{a.claim.name}.nc" for a in answers if a.claim.number in figures],
                 "computed": sum(a.computed for a in answers), "read": sum(a.read for a in answers)},
    }  # fmt: skip
    return ClaimsReport(page.page("claims.html.j2", context), answers, time.perf_counter() - started)


def took(answer: Answer) -> str:
    """What computing the cells of a claim took, whenever that was; and the claim this time, where cells came from the store."""
    cells, known = answer.computed + answer.read, answer.timed
    now = f"{answer.seconds:.1f} s"
    if not known:
        return f"{now} this time"
    of = f"{known} of its {cells} cells" if known < cells else f"its {cells} cells" if cells > 1 else "its cell"
    computing = f"{of} took {answer.took.seconds:.1f} s to compute, {answer.took.processor:.1f} s of processor time"
    return f"{computing}; with {answer.read} of them kept, {now} this time" if answer.read else f"{computing}; {now} in all"


def shown(verdict: Verdict) -> Markup:
    """A verdict, green or red where it is plain."""
    return Markup('<span class="{}">{}</span>').format(KINDS.get(verdict, "soft"), verdict.value)


def counts(answers: Sequence[Answer]) -> str:
    """How many claims have each verdict, in words."""
    found = Counter(answer.verdict for answer in answers)
    return ", ".join(f"{found[verdict]} {verdict.value}" for verdict in Verdict if found[verdict])


def groups(answers: Sequence[Answer]) -> list[Markup]:
    """A line per verdict with its claims; where one holds under conditions, where it does not."""
    lines = []
    for verdict in Verdict:
        found = [answer for answer in answers if answer.verdict == verdict]
        names = [Markup('<a href="#claim-{0}">{0} {1}</a>').format(a.claim.number, a.claim.name.replace("_", " ")) for a in found]
        if verdict == Verdict.CONDITIONS:
            each = [Markup("<li>{}, not for: {}</li>").format(name, a.where[1]) for name, a in zip(names, found, strict=True)]
            listed = Markup("<ul>{}</ul>").format(Markup("").join(each))
        else:
            listed = Markup("; ").join(names)
        if found:
            lines.append(Markup("{} ({}): {}").format(shown(verdict), len(found), listed))
    return lines


def interval(value: float, low: float, high: float) -> str:
    """A number with its interval, or alone where that has no width; a dash where there is none."""
    if value != value:
        return "–"
    return number(value) if low == high else f"{number(value)} [{number(low, 3)}, {number(high, 3)}]"


def summary_table(answers: Sequence[Answer]) -> Markup:
    """A row per claim: statement, verdict, the number that decides."""
    rows = []
    for answer in answers:
        says, *found = answer.key_number
        link = Markup('<a href="#claim-{0}">{0}</a>').format(answer.claim.number)
        rows.append((link, answer.claim.statement, shown(answer.verdict), Markup("{}<br>{}").format(interval(*found), says)))
    return table(("", "the claim", "verdict", "the number that decides"), rows, text=(0, 1, 2, 3), caption="Verdicts")


def parts_table(answer: Answer) -> Markup:
    """A row per quantity: where it was put, where it was found."""
    words = {Outcome.HOLDS: ("good", "yes"), Outcome.FAILS: ("bad", "no"), Outcome.OPEN: ("soft", "open")}
    rows = []
    for part, outcome in zip(answer.claim.parts, answer.outcomes, strict=True):
        found = answer.findings.numbers.get(part.key, NOTHING)
        kind, word = words[outcome]
        rows.append((part.condition, part.says, expected(part.expected), interval(found.value, found.low, found.high),
                     Markup('<span class="{}">{}</span>').format(kind, word)))  # fmt: skip
    return table(("under", "quantity", "the claim puts it", "found", "there?"), rows, text=(0, 1, 2, 3, 4), caption="What was measured")


def expected(ends: tuple[float, float]) -> str:
    """An expected interval in words.

    >>> expected((0.0, float("inf"))), expected((-0.01, 0.01))
    ('above 0', 'in [−0.01, 0.01]')
    """
    low, high = ends
    if low == float("-inf"):
        return f"below {number(high)}"
    return f"above {number(low)}" if high == float("inf") else f"in [{number(low)}, {number(high)}]"
