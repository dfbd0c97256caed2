"""Which mistake explains what an optimizer did: candidates made from the rule are run on the same gradients, and held against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import sympy as sp

from optlab import rules
from optlab.errors import OptlabError
from optlab.expressions import Rule
from optlab.symbols import alpha, g, symbol, theta
from optlab.verify.edits import edited, mangled, respelled
from optlab.verify.evaluation import Program, Setting, agrees, deviation, label
from optlab.verify.feeds import feeds

_COMMON = (0.0, 1e-16, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999, 1.0)
_FACTORS = (0.1, 0.5, 2.0, 10.0, 1 / 3, 1 / 6, 3.0, 6.0, 0.01, 100.0, -1.0, 0.9, 1.1)
PREFIX = 6  #: candidates are compared over so many steps first
NEAREST = 10  #: candidates that are combined with every other one where none suffices alone


@dataclass(frozen=True)
class Explanation:
    """A candidate in words, and what it does under a setting."""

    words: str
    run: Callable[[Setting], np.ndarray]
    program: Program | None = None


def explain(rule: Rule, setting: Setting, found: np.ndarray, dtype: str = "float64") -> Explanation | None:
    """The likeliest mistake that turns the rule into what was found, or None.

    ``found`` is theta before and after each step of ``setting``; an explanation reproduces all of it to rounding.

    >>> from optlab.verify.probes import telling
    >>> setting = telling()
    >>> late = Program.of(rules.get("adam")).run(setting, count=lambda t: t + 1)
    >>> explain(rules.get("adam"), setting, late).words
    'bias correction taken at t + 1 (the step count starts at 1 and is raised before use)'
    """
    tried: list[tuple[float, Explanation]] = []
    for candidate in _singles(rule, setting, found):
        closeness = _closeness(candidate, setting, found, dtype)
        if closeness == 1:
            return candidate
        tried.append((closeness, candidate))
    single = _precision(rule, setting, found)
    if single:
        return single
    tried.sort(key=lambda pair: -pair[0])
    for candidate in _pairs([c for _, c in tried[:NEAREST]], setting, found):
        if _closeness(candidate, setting, found, dtype) == 1:
            return candidate
    return None


def _closeness(candidate: Explanation, setting: Setting, found: np.ndarray, dtype: str) -> float:
    """1 where it reproduces what was found; else the share of theta's that it gets right in the first steps, less than 1."""
    short = min(PREFIX, len(setting.rates))
    right = deviation(found[: short + 1], candidate.run(setting.until(short)), dtype) <= 1
    if not right.all():
        return float(right.mean()) * 0.5
    return (
        1.0
        if agrees(found, candidate.run(setting), dtype)
        else 0.5 + 0.4 * float(np.mean(deviation(found, candidate.run(setting), dtype) <= 1))
    )


def _plain(words: str, program: Program) -> Explanation:
    return Explanation(words, program.run, program)


def _singles(rule: Rule, setting: Setting, found: np.ndarray) -> Iterator[Explanation]:
    program = Program.of(rule)
    spellings = [_plain(words, changed) for words, changed in respelled(rule)]
    yield from spellings
    yield from (_plain(words, changed) for words, changed in edited(program))
    yield from (Explanation(words, partial(run, program)) for words, run in feeds(program))
    yield from _fitted(program, setting, found)
    yield from (_plain(words, changed) for words, changed in mangled(program))
    for other in spellings:
        assert other.program is not None
        yield from (replace(c, words=f"{other.words} and {c.words}") for c in _fitted(other.program, setting, found))
    yield from _other_rules(rule)


def _pairs(nearest: list[Explanation], setting: Setting, found: np.ndarray) -> Iterator[Explanation]:
    """Two mistakes at once."""
    for one in nearest:
        if one.program is None:
            continue
        first = one.program
        yield from (_plain(f"{one.words}, and {words}", changed) for words, changed in edited(first))
        yield from (Explanation(f"{one.words}, and {words}", partial(run, first)) for words, run in feeds(first))
        yield from (replace(c, words=f"{one.words}, and {c.words}") for c in _fitted(first, setting, found))


def _other_rules(rule: Rule) -> Iterator[Explanation]:
    """Every other built-in rule, in every dialect, with this rule's numbers where the names are the same."""
    own = {str(key): value for key, value in rule.values.items()}
    for other in rules.builtin():
        if other.name == rule.name:
            continue
        dialects = [other, *(other.dialect(library) for library in other.dialects)]
        for spelled in dict.fromkeys(dialects):
            shared = {key: value for key, value in own.items() if key in {str(p) for p in spelled.parameters}}
            for numbers in [shared, {}] if shared else [{}]:
                try:
                    changed = spelled.with_(**numbers)
                except OptlabError:  # a number outside the other rule's domain
                    continue
                yield _plain(f"another rule: {label(changed)}", Program.of(changed))


def _fitted(program: Program, setting: Setting, found: np.ndarray) -> Iterator[Explanation]:
    """One number free, fitted to what was found and rounded to few digits: a hyper-parameter, a factor, a hidden decay."""
    c = symbol("factor")
    used = {s for _, right in program.equations for s in right.free_symbols} | {s for e in program.initial.values() for s in e.free_symbols}
    cases: list[tuple[Program, sp.Symbol, tuple[float, ...], str]] = [
        (program, p, _COMMON, f"{p} = {{value:g}}, not {program.values[p]:g}") for p in program.values if p in used
    ]

    def with_factor(words: str, change: dict[sp.Basic, sp.Expr], grid: tuple[float, ...], only: sp.Symbol | None = None) -> None:
        equations = tuple((left, right.xreplace(change) if only in (None, left) else right) for left, right in program.equations)
        if equations != program.equations:
            cases.append((replace(program, equations=equations, values={**program.values, c: 1.0}), c, grid, words))

    with_factor("the learning rate multiplied by {value:g}", {alpha: c * alpha}, _FACTORS)
    with_factor("the gradient multiplied by {value:g}", {g: c * g}, _FACTORS)
    for state in program.states[1:]:
        with_factor(f"the gradient multiplied by {{value:g}} in {state} (dampening)", {g: c * g}, _FACTORS, state)
    with_factor("weight decay {value:g} coupled (added to the gradient), which was not asked for", {g: g + c * theta}, _COMMON)
    right = dict(program.equations)[theta]
    with_factor(
        "weight decay {value:g} decoupled (taken from theta), which was not asked for", {right: right - alpha * c * theta}, _COMMON, theta
    )
    for case, parameter, grid, words in cases:
        value = _fit(case, parameter, grid, setting, found)
        if value is not None:
            yield _plain(words.format(value=value), case.with_values({parameter: value}))


def _fit(program: Program, p: sp.Symbol, grid: tuple[float, ...], setting: Setting, found: np.ndarray) -> float | None:
    """The value of one number under which a program comes nearest: from a grid, then by secant steps; rounded to few digits."""
    short = setting.until(12)
    target = found[: len(short.rates) + 1]
    size = np.maximum(np.abs(target - target[:1]).max(0), 1e-300)

    def misses(value: float) -> np.ndarray:
        with np.errstate(all="ignore"):
            out = (program.with_values({p: value}).run(short) - target) / size
        return np.clip(np.nan_to_num(out, nan=10.0, posinf=10.0, neginf=-10.0), -10, 10).ravel()

    best = min(grid, key=lambda value: float(np.sum(misses(value) ** 2)))
    if agrees(target, program.with_values({p: best}).run(short)):
        return best
    value = _descended(best, misses)
    if value is None:
        return None
    for digits in range(1, 7):
        for nice in _few_digits(value, digits):
            if abs(nice - value) <= 1e-4 * abs(value) and agrees(target, program.with_values({p: nice}).run(short)):
                return nice
    return None


def _descended(value: float, misses: Callable[[float], np.ndarray]) -> float | None:
    """The value near which the misses are least: Gauss-Newton steps with halving, in one number."""
    miss = misses(value)
    for _ in range(12):
        step = 1e-6 * abs(value) if value else 1e-9
        slope = (misses(value + step) - miss) / step
        norm = float(slope @ slope)
        if not norm or not np.isfinite(norm):
            return None
        change = -float(slope @ miss) / norm
        for _ in range(12):
            trial = misses(value + change)
            if trial @ trial <= miss @ miss:
                break
            change /= 4
        else:
            return value
        value, miss = value + change, trial
        if abs(change) <= 1e-13 * abs(value):
            break
    return value


def _few_digits(value: float, digits: int) -> Iterator[float]:
    """The numbers nearest to this one that are short, or one minus a short one, or one over a short one."""
    yield float(f"{value:.{digits - 1}e}")
    yield 1 - float(f"{1 - value:.{digits - 1}e}")
    if value:
        yield 1 / float(f"{1 / value:.{digits - 1}e}")


def _precision(rule: Rule, setting: Setting, found: np.ndarray) -> Explanation | None:
    """Single precision somewhere: differences of 1e-10 to 1e-5 of the path everywhere, where nothing else explains them."""
    expected = Program.of(rule).run(setting)
    path = np.maximum(np.abs(expected - expected[:1]).max(0), 1e-300)
    worst = float(np.max(np.abs(found - expected).max(0) / path)) if np.all(np.isfinite(found) == np.isfinite(expected)) else np.inf
    if worst < 1e-5:
        words = f"single precision (float32) in a state or an intermediate: it is off by {worst:.0e} of its way at most"
        return Explanation(words, lambda s: found[: len(s.rates) + 1])
    return None
