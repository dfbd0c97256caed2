"""How many steps does a setting take to a level of the loss, and which setting takes fewest?

Meant is the first step at which the expected loss is at or below the level: without noise the loss itself; with noise the mean over
runs, at steps 2.5 % apart (a single run dips below the level by luck long before). A search looks for the learning rate and
the hyper-parameters in [0, 1) (the memories) that make it least: a scan of learning rates, then a compass search around the best.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import norm

from optlab.analysis import is_linear
from optlab.analysis.tuning import tune
from optlab.dialects import spellings
from optlab.ensemble.predict import predict
from optlab.ensemble.simulate import simulate
from optlab.errors import InputError, UnsupportedError
from optlab.experiments.comparison import decay_rate
from optlab.expressions import Rule
from optlab.objectives import Separable
from optlab.symbols import alpha

TUNINGS = {
    "minimax": "learning rate and hyper-parameters of the least worst-case rate over [mu, L]",
    "search": "learning rate and memories of the fewest steps found",
    "default": "learning rate and hyper-parameters that a library starts with",
}
DEVIATIONS = float(norm.ppf(0.995))  #: standard errors of the mean loss, for an interval of 99 %
SEARCH_RUNS = 64
SPACING = 1.025  #: between the steps at which a mean loss is looked at
REACHED = "reached"
FIRST, GROWTH = 256, 4  #: budgets of the scan: steps of the first, and how many times longer the next
SCAN = tuple(
    float(f"{x:.4g}") for x in 10 ** np.arange(0.75, -5.01, -0.5)
)  #: learning rates scanned, in units of 1/L, or down from the way to go
FINE = (2**0.5, 2**0.25)  #: ratios by which the compass search changes the learning rate; memories 1/(1 - beta) by their squares


@dataclass(frozen=True)
class Setting:
    """A learning rate and the hyper-parameters that go with it."""

    alpha: float
    values: Mapping[str, float]

    def text(self) -> str:
        """Hyper-parameters for people."""
        return ", ".join(f"{key}={value:.6g}" for key, value in self.values.items())


@dataclass(frozen=True)
class Curve:
    """What one launch says of one setting: the mean loss where it was looked at, its half width, the first passage, the diverged share."""

    step: np.ndarray
    mean: np.ndarray
    half: np.ndarray
    passage: float | None
    diverged: float

    def first_below(self, level: float) -> tuple[float, float, float]:
        """The first step at or below the level, and between which steps it may be (99 %): exact without noise."""
        if self.passage is not None:
            return self.passage, self.passage, self.passage
        found = []
        for shift in (0, -1, 1):
            with np.errstate(invalid="ignore"):
                below = np.flatnonzero(self.mean + shift * self.half <= level)
            found.append(float(self.step[below[0]]) if len(below) else math.inf)
        return found[0], found[1], found[2]


@dataclass(frozen=True)
class Course:
    """One rule on one quadratic, on its way to ``level``: what every launch shares."""

    rule: Rule
    problem: Separable
    level: float
    most: int  #: steps that a run is followed for
    batch: int
    trajectories: int
    seed: int

    @cached_property
    def memories(self) -> list[str]:
        """The hyper-parameters in [0, 1) whose value is not fixed by the rule's name."""
        return [str(p) for p, record in self.rule.parameters.items() if record.within in ("[0, 1)", "(0, 1)") and p not in self.rule.bound]

    def launch(self, values: Mapping[str, float], rates: Sequence[float], budget: int, common: bool = False) -> list[Curve]:
        """Runs at each rate. Settings are compared on common noise (exactly, where the rule is linear); the measurement has its own."""
        noisy = bool(self.problem.noise)
        if noisy and common and is_linear(self.rule):
            return [self.predicted(Setting(rate, values), budget) for rate in rates]
        runs = (min(SEARCH_RUNS, self.trajectories) if common else self.trajectories) if noisy else 1
        with np.errstate(over="ignore", invalid="ignore"):
            found = simulate(
                self.bound(values), self.problem, schedule=float(rates[0]), steps=budget, batch=self.batch, trajectories=runs,
                rng=2 * self.seed + common, common=common, axes={"alpha": list(rates)}, coordinates=False,
                record=looks(budget) if noisy else [0, budget], quantiles=() if noisy else (0.5,), reach=() if noisy else [self.level],
            )  # fmt: skip
        step, mean, diverged = found.step.values, found.loss_mean.values, found.diverged.values[:, -1] / runs
        half, passages = DEVIATIONS * found.loss_standard_error.values, None if noisy else found.passage_quantile.values[:, 0, 0]
        return [
            Curve(step, mean[i], half[i], None if passages is None else float(passages[i]), float(diverged[i])) for i in range(len(rates))
        ]

    def bound(self, values: Mapping[str, float]) -> Rule:
        """The rule with these hyper-parameters."""
        return _bound(self.rule, tuple(values.items()))

    def predicted(self, setting: Setting, budget: int) -> Curve:
        """The exact expected loss of a linear rule: at the steps looked at under noise, at 8000 evenly spread ones without."""
        record = looks(budget) if self.problem.noise else np.unique(np.rint(np.linspace(0, budget, 8001)).astype(int)).tolist()
        with np.errstate(over="ignore", invalid="ignore"):
            curve = predict(
                self.bound(setting.values), self.problem, schedule=setting.alpha, steps=budget, batch=self.batch, record=record,
                coordinates=False,
            )  # fmt: skip
        return Curve(curve.step.values, curve.loss_mean.values, np.zeros(len(record)), None, 0.0)

    def search(self) -> tuple[Setting | None, int]:
        """The setting of fewest steps found, and how many were tried. None if no setting reaches the level within ``most`` steps."""
        tried, best, steps = 0, None, math.inf
        for start in self._starts():
            for budget in self._budgets():
                rates = self.scan
                best, steps, count = self._better(best, steps, start, rates, min(budget, steps))
                tried += count
                if steps <= budget:
                    break
        if best is None:
            return None, tried
        for ratio in FINE:
            before = math.inf
            while steps < before:
                before = steps
                for name in ("", *best.values):
                    sides = [1 / ratio, ratio] if not name else [1 / ratio, 1.0, ratio]
                    for factor in (ratio**-2, ratio**2) if name else (1.0,):
                        other = {name: _short(1 - (1 - best.values[name]) * factor, 9)} if name else {}
                        if all(value >= 0 for value in other.values()):
                            rates = [_short(best.alpha * side) for side in sides]
                            best, steps, count = self._better(best, steps, {**best.values, **other}, rates, math.ceil(steps))
                            tried += count
        return best, tried

    def _better(
        self, best: Setting | None, least: float, values: Mapping[str, float], rates: list[float], budget: float
    ) -> tuple[Any, float, int]:
        """The best so far, or the best of these learning rates with these hyper-parameters; and how many they are."""
        found = self.launch(values, rates, int(max(budget, 1)), common=True)
        for rate, run in zip(rates, found, strict=True):
            steps = run.first_below(self.level)[2]  # the upper end: a mean that is low by luck must not win
            if steps < least:
                best, least = Setting(rate, dict(values)), steps
        return best, least, len(rates)

    @property
    def scan(self) -> list[float]:
        """Learning rates to begin with: of linear rules in units of 1/L. Adaptive steps are about the rate itself: up to the way to go."""
        if is_linear(self.rule):
            return [_short(rate / max(self.problem.spectrum)) for rate in SCAN]
        way = max(1.0, *map(abs, self.problem.start.point))
        return [_short(SCAN[0] * way * 10 ** (-k / 2)) for k in range(len(SCAN) + round(2 * math.log10(way)))]

    def _budgets(self) -> Iterator[int]:
        budget = FIRST
        while budget < self.most:
            yield budget
            budget *= GROWTH
        yield self.most

    def _starts(self) -> Iterator[Mapping[str, float]]:
        """Hyper-parameters to scan learning rates with: the rule's own, and the minimax ones of a linear rule."""
        defaults = {str(p): record.default for p, record in self.rule.parameters.items() if str(p) in self.memories}
        yield {name: float(value) for name, value in defaults.items() if value is not None}
        if is_linear(self.rule) and self.memories:
            tuned = self.minimax()
            if tuned:
                yield tuned.values

    def minimax(self) -> Setting | None:
        """The tuning of least worst-case rate; None for adaptive rules, and where there is none."""
        if not is_linear(self.rule):
            return None
        try:
            tuned = tune(self.rule, min(self.problem.spectrum), max(self.problem.spectrum))
        except UnsupportedError:
            return None
        return Setting(tuned.alpha, {key: float(f"{value:.9g}") for key, value in tuned.parameters.items()})

    def default(self) -> Setting | None:
        """What the first library that has the rule and a learning rate for it starts with, in the rule's own form."""
        for library in ("torch", "keras", "optax"):
            for spelling in spellings(self.rule.dialects.get(library)):
                numbers = spelling.default_numbers()
                if alpha in numbers:
                    kept = {str(p): float(v) for p, v in numbers.items() if p in self.rule.parameters and p not in self.rule.bound}
                    return Setting(float(numbers[alpha]), kept)
        return None

    def measure(self, setting: Setting) -> dict[str, Any]:
        """Steps to the level with their interval, the rate without noise, and what became of the runs."""
        budget = min(1024, self.most)
        while True:
            (run,) = self.launch(setting.values, [setting.alpha], budget)
            steps, low, high = run.first_below(self.level)
            lost = run.diverged
            if budget == self.most or high < math.inf or lost == 1:
                break
            budget = min(8 * budget, self.most)
        outcome = REACHED if steps < math.inf else "diverged" if lost > 0.5 else f"not reached in {self.most} steps"
        out: dict[str, Any] = {"steps": steps, "low": low, "high": high, "diverged": lost, "rate": math.nan, "exact": math.nan}
        if is_linear(self.rule) and steps < math.inf:
            out["exact"] = self.predicted(setting, budget).first_below(self.level)[0]
        if not self.problem.noise and 20 <= steps < math.inf:
            record = np.unique(np.rint(np.linspace(0, steps, 201)).astype(int)).tolist()
            curve = simulate(
                self.bound(setting.values), self.problem, schedule=setting.alpha, steps=int(steps), trajectories=1, record=record,
                quantiles=(), coordinates=False,
            )  # fmt: skip
            out["rate"] = decay_rate(curve) or math.nan
        return out | {"outcome": outcome}


@lru_cache(maxsize=4096)
def _bound(rule: Rule, values: tuple[tuple[str, float], ...]) -> Rule:
    """Kept: what a simulation needs of a rule is worked out once for each record."""
    return rule.with_(**dict(values)) if values else rule


def looks(budget: int) -> list[int]:
    """The steps at which the mean loss is looked at: all of the first ones, then 2.5 % apart, so that longer budgets look at the same."""
    every = np.unique(np.rint(SPACING ** np.arange(math.log(max(budget, 1), SPACING) + 1)).astype(int))
    return [0, *(int(step) for step in every if step < budget), budget]


def _short(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}")


def passage(
    rule: str, problem: Mapping[str, Any], tuning: str, level: float, most: int, batch: int, trajectories: int, seed: int
) -> xr.Dataset:
    """One cell: the steps of one rule to the level on one quadratic under one of :data:`TUNINGS`, as a dataset of scalars."""
    from optlab import problems, rules

    course = Course(rules.get(rule), problems.quadratic(**problem), level, most, batch, trajectories, seed)
    tried = 0
    if tuning == "search":
        setting, tried = course.search()
        missing = f"not reached in {most} steps"
    elif tuning in TUNINGS:
        setting = course.minimax() if tuning == "minimax" else course.default()
        missing = f"no {tuning} tuning"
    else:
        raise InputError(f"tuning = {tuning!r} is unknown: use one of {', '.join(TUNINGS)}")
    found: dict[str, Any] = dict.fromkeys(("steps", "low", "high", "diverged", "rate", "exact"), math.nan) | {"outcome": missing}
    if setting:
        found = course.measure(setting)
    about = {"outcome": str(found.pop("outcome")), "setting": setting.text() if setting else "", "tried": tried}
    return xr.Dataset({**found, "alpha": setting.alpha if setting else math.nan}, attrs=about)
