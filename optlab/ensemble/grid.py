"""Parameter axes: one request per point of a grid over learning rate, hyper-parameters, batch and the problem's options."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from optlab import problems, rules, schedules
from optlab.ensemble.specs import canonical_json
from optlab.errors import InputError, UnknownNameError
from optlab.expressions import Rule, Schedule
from optlab.objectives import Problem, Rows, Start
from optlab.quantities import labeled

PLACES = ("rule", "schedule", "problem")  #: what an axis may be an option of, where a bare name is not enough


def points(
    rule: Rule | str, problem: Problem | str, schedule: Schedule | float | str, batch: int | None, axes: Mapping[str, Sequence[Any]]
) -> list[dict[str, Any]]:
    """The arguments (rule, problem, schedule, batch) of every point of the grid, the last axis running fastest.

    An axis is ``batch``, ``alpha`` (the constant learning rate), an option of the rule (``beta``), of the schedule
    (``peak``) or of the problem (``condition_number``, ``noise``, ...); ``rule.beta`` and the like where one name means two things.
    Raises InputError for an axis that means nothing or two things, or that has no values.
    """
    base_rule, base_problem = rules.get(rule), problems.get(problem)
    base_schedule = schedules.as_schedule(schedule)
    homes = {name: _home(name, base_rule, base_schedule, base_problem) for name in axes}
    for name, values in axes.items():
        if isinstance(values, str) or not isinstance(values, (Sequence, np.ndarray)) or not len(values):
            raise InputError(f"axis {name} = {values!r} needs a list of at least one value")
        if len({str(v) for v in values}) != len(values):
            raise InputError(f"axis {name} holds a value twice: {list(values)}")
    out = []
    for combination in itertools.product(*axes.values()):
        chosen: dict[str, dict[str, Any]] = {"rule": {}, "schedule": {}, "problem": {}, "run": {}}
        for (home, option), value in zip(homes.values(), combination, strict=True):
            chosen[home][option] = value.item() if isinstance(value, np.generic) else value
        out.append(
            {
                "rule": base_rule.with_(**chosen["rule"]) if chosen["rule"] else base_rule,
                "problem": remade(base_problem, chosen["problem"]),
                "schedule": base_schedule.with_(**chosen["schedule"]) if chosen["schedule"] else base_schedule,
                "batch": chosen["run"].get("batch", batch),
            }
        )
    return out


def _home(name: str, rule: Rule, schedule: Schedule, problem: Problem) -> tuple[str, str]:
    if name == "batch":
        return "run", name
    options = {
        "rule": [*map(str, rule.parameters), *rule.variants], "schedule": list(map(str, schedule.parameters)), "problem": _options(problem),
    }  # fmt: skip
    place, dot, option = name.partition(".")
    if dot and place in PLACES:
        if option not in options[place]:
            raise UnknownNameError(f"option of the {place}", option, options[place])
        return place, option
    found = [place for place in PLACES if name in options[place]]
    if not found:
        raise UnknownNameError("axis", name, ["batch", *(option for place in PLACES for option in options[place])])
    if len(found) > 1:
        raise InputError(f"axis {name} is an option of the {found[0]} and of the {found[1]}: write {found[0]}.{name} or {found[1]}.{name}")
    return found[0], name


def _options(problem: Problem) -> list[str]:
    if problem.name == "quadratic" and problem.options.get("spectrum") in (None, "two_point", "uniform"):
        return ["condition_number", "L", "noise", "rotation", "theta0", "spectrum"]
    if problem.name == "line_fit":
        return ["slope", "intercept", "label_noise", "convention", "theta0"]
    return ["noise", "theta0", *(["sampling"] if isinstance(problem, Rows) else [])]


def remade(problem: Problem, options: Mapping[str, Any]) -> Problem:
    """The problem with some of its options changed."""
    if not options:
        return problem
    if problem.name in ("quadratic", "line_fit"):
        return problems.get(problem.name, **(dict(problem.options) | dict(options)))
    changes: dict[str, Any] = {key: Start.read(value, problem.dim) if key == "theta0" else value for key, value in options.items()}
    if "theta0" in changes:
        changes["start"] = changes.pop("theta0")
    if "noise" in changes:
        changes["noise"] = float(changes["noise"])
    return dataclasses.replace(problem, **changes, options=dict(problem.options) | dict(options))


def assemble(
    axes: Mapping[str, Sequence[Any]], cells: Sequence[dict[str, Any]], coords: dict[str, Any], attrs: dict[str, Any]
) -> xr.Dataset:
    """One dataset from the variables of every cell; the axes come first among the dimensions."""
    shape = tuple(len(values) for values in axes.values())
    data = {}
    for name, (dims, first, *about) in cells[0].items():
        values = np.stack([cell[name][1] for cell in cells]).reshape(*shape, *np.shape(first))
        data[name] = ((*axes, *((dims,) if isinstance(dims, str) else dims)), values, *about)
    named = {name: np.array([v if isinstance(v, (int, float, np.number)) else str(v) for v in values]) for name, values in axes.items()}
    plain = {name: [v.item() if isinstance(v, np.generic) else v for v in values] for name, values in axes.items()}
    return labeled(xr.Dataset(data, coords | named, attrs | {"axes": canonical_json(plain)}))
