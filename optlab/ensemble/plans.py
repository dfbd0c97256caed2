"""What a simulation needs of a rule, a schedule and a problem: texts and numbers, kept on disk so that a second process needs no SymPy."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, lru_cache, partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from optlab import rules, schedules
from optlab.codegen.module import load
from optlab.ensemble.layout import GENERATORS, SOURCES, width_of
from optlab.errors import InputError
from optlab.kept_facts import digest, kept
from optlab.objectives import Problem, definitions

if TYPE_CHECKING:
    from optlab.expressions import Rule, Schedule

SHORT = 1 << 14  #: steps whose scalars plain Python computes as fast as a compiled function would be loaded


@cache
def generators() -> str:
    """A hash of all that generated text depends on beside the definitions."""
    return digest(GENERATORS)


class _Plan:
    """Facts of a definition, and the definition itself where something needs it after all."""

    def __init__(self, facts: dict[str, Any], definition: Callable[[], Any]) -> None:
        self.facts, self.definition = facts, definition
        self.fingerprint = str(facts["fingerprint"])

    def label(self) -> str:
        """As the definition's own ``label()``."""
        return str(self.facts["label"])


class RulePlan(_Plan):
    """A rule's constants, initial states and per-step scalars."""

    @property
    def states(self) -> int:
        """Numbers per coordinate, theta among them."""
        return 1 + len(self.facts["initial"])

    @property
    def constants(self) -> np.ndarray:
        """The rule's constants, computed exactly and rounded once."""
        return np.array(self.facts["constants"], np.float64)

    @property
    def initial(self) -> np.ndarray:
        """The initial value of each coordinate state, float64."""
        return np.array(self.facts["initial"], np.float64)

    def table(self, rates: np.ndarray) -> np.ndarray:
        """Every per-step scalar of the rule, float64, shape (steps, scalars)."""
        table = np.empty((len(rates), self.facts["scalars"]), np.float64)
        _function(self.facts["table"], "fill_table", len(rates))(rates, self.constants, np.array(self.facts["carried"], np.float64), table)
        return table

    def scalars(self, rate: float, first: int, carried: np.ndarray) -> np.ndarray:
        """The per-step scalars of the step after ``first`` others, float64; ``carried`` goes on to the next step."""
        table = np.empty((1, self.facts["scalars"]), np.float64)
        _function(self.facts["table"], "fill_table", 1)(np.array([rate]), self.constants, carried, table, first)
        return table[0]


class SchedulePlan(_Plan):
    """A schedule's learning rates."""

    def rates(self, steps: int) -> np.ndarray:
        """alpha of every step as float64, shape (steps,). Raises InputError where one is negative or not finite."""
        rates = np.empty(steps, np.float64)
        with np.errstate(all="ignore"):
            _function(self.facts["source"], "fill_rates", steps)(np.array(self.facts["parameters"], np.float64), rates)
        if not np.all(np.isfinite(rates)) or (steps and rates.min() < 0):
            bad = int(np.flatnonzero(~np.isfinite(rates) | (rates < 0))[0])
            raise InputError(f"schedule {self.label()} gives the learning rate {rates[bad]} at step {bad}: it must be finite and >= 0")
        return rates


@lru_cache(maxsize=128)
def _plain(source: str) -> dict[str, Any]:
    space: dict[str, Any] = {}
    exec(
        compile(
            source.replace('njit = partial(numba.njit, error_model="numpy")', "njit = lambda f=None, **k: f or (lambda g: g)"),
            "<generated>",
            "exec",
        ),
        space,
    )
    return space


def _function(source: str, name: str, steps: int) -> Any:
    """The generated function: run by Python over few steps, compiled over many; the same operations in the same order."""
    return _plain(source)[name] if steps <= SHORT else getattr(load(source, (), "scalars"), name)


def _rule_facts(rule: Rule) -> dict[str, Any]:
    from optlab.ensemble.kernel import rule_facts

    return rule_facts(rule)


def _schedule_facts(schedule: Schedule) -> dict[str, Any]:
    from optlab.ensemble.kernel import schedule_facts

    return schedule_facts(schedule)


def _facts_of_rule(rule: Rule) -> dict[str, Any]:
    """Kept on the record itself: bound values can make two different definitions equal."""
    if "_facts" not in rule.__dict__:
        rule.__dict__["_facts"] = _rule_facts(rule)
    found: dict[str, Any] = rule.__dict__["_facts"]
    return found


def rule_plan(rule: Rule | str | RulePlan) -> RulePlan:
    """The plan of a rule, or of one named: the latter is kept on disk."""
    if isinstance(rule, RulePlan):
        return rule
    if isinstance(rule, str):
        return RulePlan(rules.facts_of(rule, _rule_facts, version=f"plan {generators()}"), partial(rules.get, rule))
    record = rules.get(rule)
    return RulePlan(_facts_of_rule(record), lambda: record)


def schedule_plan(schedule: Schedule | float | str | SchedulePlan) -> SchedulePlan:
    """The plan of a schedule; of a name or a number it is kept on disk."""
    if isinstance(schedule, SchedulePlan):
        return schedule
    if isinstance(schedule, (int, float)) and not isinstance(schedule, bool):
        schedule = f"constant(alpha={schedule!r})" if np.isfinite(schedule) and schedule >= 0 else schedules.as_schedule(schedule)
    if isinstance(schedule, str):
        return SchedulePlan(schedules.facts_of(schedule, _schedule_facts, version=f"plan {generators()}"), partial(schedules.get, schedule))
    record = schedules.as_schedule(schedule)
    return SchedulePlan(_schedule_facts(record), lambda: record)


_modules: dict[Any, ModuleType] = {}


def kernel(plan: RulePlan, problem: Problem, dtype: str, uniform_bits: int = 32) -> ModuleType:
    """The kernel module of a rule on a problem, compiled at its first call or loaded from disk."""
    shape = json.dumps(
        [problem.form, problem.noise_law.kind, problem.shape, getattr(problem, "rotation", None) is not None, width_of(problem, dtype)]
    )
    dim = problem.dim if problem.shape in ("rows", "fresh", "expression") else 0
    key = (plan.facts["kernel"], shape, dim, dtype, uniform_bits, *((problem.fingerprint,) if problem.form is None else ()))

    def source() -> str:
        from optlab.ensemble.kernel import kernel_source

        return kernel_source(plan.definition().unbound(), problem, dtype, uniform_bits)

    if key not in _modules:
        known = problem.form is not None
        text = kept(["kernel", *map(str, key), generators(), *definitions()], source) if known else source()
        _modules[key] = load(text, SOURCES, "ensemble")
    return _modules[key]
