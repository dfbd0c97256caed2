"""The convergence report: run every section's cells, then write one self-contained page with its figures and data."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optlab import rules
from optlab._version import __version__
from optlab.analysis import is_linear
from optlab.data import tables
from optlab.errors import InputError
from optlab.experiments import comparison, line_fit, own_problem, paths, regimes
from optlab.experiments.advice_cell import advice_cell
from optlab.experiments.cluster import connected
from optlab.experiments.spec import ReportSpec, parse_spec, read_spec
from optlab.experiments.store import Store, default_store
from optlab.experiments.sweep import Cell, Progress, Runner
from optlab.reporting import sections, summary
from optlab.reporting.advice import advice_section
from optlab.reporting.page import Page, versions
from optlab.reporting.results import Results
from optlab.reporting.style import style


@dataclass(frozen=True)
class ReportResult:
    """A written report: where it is, its one-minute findings (HTML), and whether theory and simulation agreed everywhere."""

    path: Path
    findings: tuple[str, ...]
    agrees: bool
    numbers: dict[str, Any]  #: what ``--json`` prints
    duration: float
    computed: int
    read: int


def report(
    spec: ReportSpec | dict[str, Any] | str | Path | None = None,
    *,
    out: str | Path = "reports/convergence",
    store: str | Path | None = None,
    cluster: str | None = None,
    progress: Progress | None = None,
    on_damage: Any = None,
    command: str = "optlab report",
) -> ReportResult:
    """Derive, simulate, verify, and write ``out/index.html`` with its figures (SVG, PNG) and data (netCDF).

    Parameters
    ----------
    spec
        A TOML file, a dict or a :class:`ReportSpec`; None for the default report.
    out
        The folder to write to.
    store
        Where finished cells are kept and looked for; an interrupted report resumes from there.

    cluster
        The address of a Dask scheduler (``tcp://host:8786``) whose workers compute the cells; None: this machine does. Same numbers.

    Raises InputError for a bad spec, before anything is computed; ClusterError where the cluster cannot be used.
    """
    started = time.perf_counter()
    asked = spec if isinstance(spec, ReportSpec) else parse_spec(spec) if isinstance(spec, dict) else read_spec(spec)
    chosen = [rules.get(name) for name in asked.rules]  # wrong names fail here, before any work
    names = asked.rules
    if len({rule.label() for rule in chosen}) < len(chosen):
        raise InputError("rules: the same rule is named twice")
    table = tables.read_table(asked.table.path, asked.table.target, drop_missing=asked.table.drop_missing) if asked.table else None
    wanted = asked.sections
    counts = {
        "quadratics": comparison.count(asked.quadratics, names), "regimes": regimes.count(asked.regimes),
        "line_fit": line_fit.count(asked.line_fit), "ravine": paths.count(asked.ravine, names),
    }  # fmt: skip
    total = sum(counts[name] for name in wanted) + own_problem.count(asked.problem, names) + (1 if table else 0)
    made = Page(Path(out))
    kept = Store(store or default_store(), on_damage)
    with connected(cluster) as machines:
        run = Runner(kept, progress, total, machines)
        checks = sum(is_linear(rule) for rule in chosen) * max(len(asked.problem), 1)
        results = Results(
            compared=comparison.compare_rules(asked.quadratics, names, asked.seed, run) if "quadratics" in wanted else [],
            own=[own_problem.run_own_problem(item, names, asked.seed, run, checks) for item in asked.problem],
            slopes=regimes.fit_regimes(asked.regimes, asked.seed, run) if "regimes" in wanted else [],
            rows=line_fit.run_line_fit(asked.line_fit, asked.seed, run) if "line_fit" in wanted else [],
            paths=paths.run_ravine(asked.ravine, names, run) if "ravine" in wanted else [],
            advice=run([_advice(asked, table)])[0] if table is not None else None,
        )
    if progress:
        progress(total, total, "writing")

    with style():
        context: dict[str, Any] = {
            "title": asked.title,
            "rules": sections.rule_cards(chosen, asked.quadratics.kappas),
            "quadratics": sections.quadratics(asked.quadratics, results.compared, made.figure) if results.compared else None,
            "own": sections.own_problems(results, made.figure),
            "agreement": sections.agreement(results) if results.agreements() else None,
            "regimes": sections.regimes(asked.regimes, results.slopes, made.figure) if results.slopes else None,
            "ravine": sections.ravine(asked.ravine, results.paths, made.figure) if results.paths else None,
            "line": sections.line(asked.line_fit, results.rows, made.figure) if results.rows else None,
            "advice": advice_section(results.advice, made.figure) if results.advice is not None else None,
        }
    for name, data in summary.datasets(results).items():
        made.data(name, data)
    findings = summary.findings(results)
    agrees = all(item.holds for item in results.agreements())
    duration = time.perf_counter() - started
    context |= {
        "findings": findings, "false_alarm": "10⁻⁹", "version": __version__,
        "made": {
            "command": command, "cells": run.computed + run.read, "computed": run.computed, "read": run.read,
            "duration": f"{duration:.0f} s", "versions": f"{versions()}; seed {asked.seed}.",
            "spec": asked.model_dump_json(indent=2), "files": made.files,
        },
    }  # fmt: skip
    made.page("report.html.j2", context)
    numbers = summary.numbers(results) | {"agrees": agrees, "report": str(made.folder / "index.html")}
    return ReportResult(made.folder / "index.html", tuple(map(str, findings)), agrees, numbers, duration, run.computed, run.read)


def _advice(asked: ReportSpec, table: tables.Table) -> Cell:
    assert asked.table is not None
    return advice_cell(table, standardize=asked.table.standardize, batch=asked.table.batch, rng=asked.seed)
