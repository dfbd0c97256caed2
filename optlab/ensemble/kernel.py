"""Putting a kernel together: generated functions of one rule and one problem, and the loop that calls them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from types import ModuleType

from optlab.codegen.module import load, template
from optlab.codegen.printer import Printer, name_of
from optlab.codegen.rules import HEADER, lowered, schedule_source, table_source, update_source
from optlab.ensemble.purposes import Purpose
from optlab.expressions import Rule, Schedule
from optlab.objectives import Expression, Fresh, Problem
from optlab.symbols import lam, theta, y, z

LANES = 64  #: trajectories that advance side by side
BINS_PER_OCTAVE = 64  #: of the loss histogram, in its fine range
LOWEST_EXPONENT, FINE_OCTAVES = -160, 256  #: the fine range is 2^-161 to 2^95; beyond it every octave is one bin
COARSE_BELOW = LOWEST_EXPONENT + 1073
HALF_BINS = 1 + COARSE_BELOW + FINE_OCTAVES * BINS_PER_OCTAVE + (1025 - LOWEST_EXPONENT - FINE_OCTAVES)

#: The templates that make up each shape of problem, in the order in which they are pasted.
_SHAPES = {
    "separable": ("no_order", "separable"),
    "rows": ("rows",),
    "fresh": ("no_order", "objective_loss", "fresh"),
    "expression": ("no_order", "objective_loss", "expression"),
}

_HERE = Path(__file__).parent
_TEMPLATES = _HERE / "templates"


def kernel_source(rule: Rule, problem: Problem, dtype: str) -> str:
    """The whole source of the ensemble kernel of a rule on a problem."""
    printer = Printer()
    parts = [update_source(rule, printer), _update_lanes(rule), _gradient_point(rule), _problem_source(problem, printer)]
    purposes = "\n".join(f"{purpose.name} = {int(purpose)}" for purpose in Purpose)
    constants = (
        f"LANES = {LANES}\nSTATES = {len(lowered(rule).states)}\nBINS_PER_OCTAVE = {BINS_PER_OCTAVE}\n"
        f"LOWEST_EXPONENT = {LOWEST_EXPONENT}\nFINE_OCTAVES = {FINE_OCTAVES}\nCOARSE_BELOW = {COARSE_BELOW}\n"
        f"HALF_BINS = {HALF_BINS}\n{purposes}\n"
    )
    header = HEADER.format(what=f"rule {rule.name} on problem {problem.name}", dtype=dtype)
    imports = "from optlab.ensemble.philox import bounded, philox\n"
    functions, marker, run = template(_TEMPLATES / "loop.py").partition("@njit(nogil=True, cache=True)")
    bodies = [template(_TEMPLATES / f"{name}.py") for name in _SHAPES[problem.shape]]
    return "\n\n".join([header + imports, constants, printer.helpers(), *parts, functions, *bodies, marker + run])


def _update_lanes(rule: Rule) -> str:
    low = lowered(rule)
    names = [*low.constants.values(), *low.step_values]
    old = [f"state[{s}, i, lane]" for s in range(len(low.states))]
    lines = ["@njit", "def update_lanes(state, gradient, constants, scalars, i):", *_unpack(rule)]
    lines += ["    for lane in range(LANES):", f"        new = update({', '.join(['gradient[i, lane]', *old, *map(name_of, names)])})"]
    if len(low.states) == 1:
        lines.append("        state[0, i, lane] = new")
    else:
        lines += [f"        {left} = new[{s}]" for s, left in enumerate(old)]
    return "\n".join(lines) + "\n"


def _gradient_point(rule: Rule) -> str:
    low = lowered(rule)
    lines = ["@njit", "def gradient_point(state, work, constants, scalars):"]
    if low.point == theta:
        return "\n".join([*lines, "    return state[0]"]) + "\n"
    arguments = [*(f"state[{s}, i, lane]" for s in range(len(low.states))), *map(name_of, [*low.constants.values(), *low.step_values])]
    lines += [*_unpack(rule), "    for i in range(work.shape[0]):", "        for lane in range(LANES):"]
    lines += [f"            work[i, lane] = look({', '.join(arguments)})", "    return work"]
    return "\n".join(lines) + "\n"


def _unpack(rule: Rule) -> list[str]:
    low = lowered(rule)
    out = [f"    {name_of(name)} = constants[{i}]" for i, name in enumerate(low.constants.values())]
    return out + [f"    {name_of(name)} = scalars[{i}]" for i, name in enumerate(low.step_values)]


def _problem_source(problem: Problem, printer: Printer) -> str:
    formulas = problem.expressions()
    if isinstance(problem, Fresh):
        prediction = sum(c * f for c, f in zip(problem.coordinates, problem.features, strict=True))
        slope = formulas["gradient"].xreplace({z: prediction, y: problem.target})
        sample = printer.function(
            "sample_gradient", [*problem.coordinates, problem.uniform, problem.normal], [], [slope * f for f in problem.features]
        )
        draws = f"{name_of(problem.uniform)}, {name_of(problem.normal)}"
        lines = ["@njit", f"def add_sample(point, gradient, lane, {draws}):"]
        lines.append(f"    parts = sample_gradient({', '.join(f'point[{i}, lane]' for i in range(problem.dim))}, {draws})")
        lines += [f"    gradient[{i}, lane] += parts[{i}]" for i in range(problem.dim)]
        return "\n\n".join([_objective(problem, problem.objective(), printer), sample, "\n".join(lines) + "\n"])
    if isinstance(problem, Expression):
        gradient = [formulas[f"gradient{i}"] for i in range(problem.dim)]
        body = printer.function("full_gradient", problem.coordinates, [], gradient)
        lines = ["@njit", "def gradient_lane(point, gradient, lane):"]
        lines.append(f"    parts = full_gradient({', '.join(f'point[{i}, lane]' for i in range(problem.dim))})")
        lines += [f"    gradient[{i}, lane] = parts{f'[{i}]' if problem.dim > 1 else ''}" for i in range(problem.dim)]
        return "\n\n".join([_objective(problem, problem.loss, printer), body, "\n".join(lines) + "\n"])
    datum = lam if problem.shape == "separable" else y
    return "\n\n".join(printer.function(f"piece_{role}", [z, datum], [], [formulas[role]]) for role in ("loss", "gradient"))


def _objective(problem: Fresh | Expression, loss: object, printer: Printer) -> str:
    body = printer.function("objective", problem.coordinates, [], [loss])
    arguments = ", ".join(f"theta[{i}, lane]" for i in range(problem.dim))
    return f"{body}\n\n@njit\ndef objective_lane(theta, lane):\n    return objective({arguments})\n"


@lru_cache(maxsize=128)
def kernel(rule: Rule, problem: Problem, dtype: str) -> ModuleType:
    """The compiled-on-first-call kernel module of a rule on a problem."""
    return load(kernel_source(rule, problem, dtype), (_HERE / "philox.py",), "ensemble")


@lru_cache(maxsize=128)
def table_module(rule: Rule) -> ModuleType:
    """The module with ``fill_table``."""
    printer = Printer()
    body = table_source(rule, printer)
    return load("\n\n".join([HEADER.format(what=f"rule {rule.name}", dtype="float64"), printer.helpers(), body]), (), "table")


@lru_cache(maxsize=128)
def schedule_module(schedule: Schedule) -> ModuleType:
    """The module with ``fill_rates``."""
    printer = Printer()
    body = schedule_source(schedule, printer)
    return load("\n\n".join([HEADER.format(what=f"schedule {schedule.name}", dtype="float64"), printer.helpers(), body]), (), "schedule")
