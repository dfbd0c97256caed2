"""How do the rules do on a problem of one's own, under a given schedule or each at the best of a grid of learning rates?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import xarray as xr

from optlab import problems, rules, schedules
from optlab.analysis import is_linear
from optlab.ensemble.agreement import Agreement, compare, has_threshold
from optlab.ensemble.predict import predict
from optlab.errors import InputError, UnsupportedError
from optlab.experiments.comparison import GRID, SEARCH_RUNS, Run
from optlab.experiments.spec import ProblemSection
from optlab.experiments.sweep import simulation_cell
from optlab.expressions import Rule, Schedule
from optlab.objectives import Problem


@dataclass(frozen=True)
class OwnEntry:
    """One rule on the problem."""

    rule: Rule
    schedule: Schedule
    simulated: xr.Dataset
    exact: xr.Dataset | None
    agreement: Agreement | None


@dataclass(frozen=True)
class OwnProblem:
    """Every rule on one problem."""

    name: str
    problem: Problem
    searched: bool  #: whether learning rates were searched
    entries: tuple[OwnEntry, ...]


def check(spec: ProblemSection) -> tuple[Problem, Schedule | None]:
    """The problem and the schedule that the section names. Raises InputError before anything is computed."""
    if spec.alpha is not None and spec.schedule is not None:
        raise InputError(f"problem {spec.problem!r}: give alpha or schedule, not both (neither: the best of a grid is searched)")
    asked = spec.schedule if spec.schedule is not None else spec.alpha
    return problems.get(spec.problem), None if asked is None else schedules.as_schedule(asked)


def count(specs: list[ProblemSection], names: list[str]) -> int:
    """How many cells the section runs, at most."""
    linear = sum(is_linear(rules.get(name)) for name in names)
    return sum(len(names) + linear + (len(GRID) * len(names) if check(spec)[1] is None else 0) for spec in specs)


def run_own_problem(spec: ProblemSection, names: list[str], seed: int, run: Run, checks: int) -> OwnProblem:
    """Simulate every rule; where an exact prediction exists and the noise is Gaussian, hold the simulation against it."""
    problem, given = check(spec)
    options: dict[str, Any] = {"steps": spec.steps, "batch": spec.batch, "trajectories": spec.trajectories, "rng": seed, "record": "log"}
    entries = []
    for name in names:
        rule, schedule = rules.get(name), given
        if schedule is None:
            trial = options | {"trajectories": SEARCH_RUNS, "record": [spec.steps]}
            cells = [simulation_cell(f"{problem.name}: {name} at {alpha:g}", rule, problem, schedule=alpha, **trial) for alpha in GRID]
            losses = [float(result.loss_mean[-1]) for result in run(cells)]
            schedule = schedules.as_schedule(GRID[losses.index(min(losses))])
        cells = [simulation_cell(f"{problem.name}: {name}", rule, problem, schedule=schedule, **options)]
        if is_linear(rule) and _predictable(rule, problem, spec.batch):
            cells.append(simulation_cell(f"{problem.name}: {name}, exact", rule, problem, exact=True, schedule=schedule, **options))
        simulated, *exact = run(cells)
        agreement = compare(simulated, exact[0], comparisons=checks) if exact and has_threshold(exact[0]) else None
        entries.append(OwnEntry(rule, schedule, simulated, exact[0] if exact else None, agreement))
    return OwnProblem(spec.name or problem.name, problem, given is None, tuple(entries))


def _predictable(rule: Rule, problem: Problem, batch: int) -> bool:
    try:
        predict(rule, problem, schedule=0.0, steps=0, batch=batch)
    except UnsupportedError:
        return False
    return True
