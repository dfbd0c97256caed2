"""Checking a learning-rate schedule step by step against its formula, with the mistake named where they part."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy as sp

from optlab import schedules
from optlab.errors import CheckFailed, InputError
from optlab.expressions import Schedule
from optlab.symbols import symbol, time
from optlab.verify.edits import mangled
from optlab.verify.evaluation import Program, printed
from optlab.verify.rules import Check

_PEAK = symbol("learning_rate_of_the_schedule")


def check_schedule(schedule_under_test: Any, *, schedule: Schedule | str, steps: int | None = None, raises: bool = True) -> list[Check]:
    """Check a schedule against optlab's formula, over all its steps and some beyond its end.

    Parameters
    ----------
    schedule_under_test
        A function ``f(t)`` of the step, from 0; or what makes a torch scheduler: ``make(optimizer)``, whose learning rate is read
        before each ``scheduler.step()``.
    schedule
        The schedule that it should be, with its options: ``"one_cycle(base=0.01, peak=0.1, steps=100)"``.
    steps
        How many steps are compared: a tenth beyond the schedule's ``steps`` by default, 100 if it has none.

    The checks: *formula* (every rate within 1e-10 of the largest; the likely mistake is named), *pure* (a second reading gives
    the same rates; functions only). Raises CheckFailed unless ``raises=False``, InputError if it cannot be read.

    >>> check_schedule(lambda t: 0.1 / (t + 1) ** 0.5, schedule="inverse_sqrt(a=0.1)")[0].passed
    True
    >>> check_schedule(lambda t: 0.1 / (t + 2) ** 0.5, schedule="inverse_sqrt(a=0.1)")
    Traceback (most recent call last):
    optlab.errors.CheckFailed: schedule does not follow inverse_sqrt(a=0.1): it looks like steps counted as t + 1 (one too far).
      At t = 0 it should be 0.1 and is 0.07071067812; 100 of 100 steps differ.
    """
    wanted = schedules.get(schedule)
    length = next((int(value) for key, value in wanted.values.items() if str(key) == "steps"), None)
    count = int(steps) if steps is not None else (100 if length is None else length + max(length // 10, 3))
    if count < 2:
        raise InputError(f"steps = {steps} is too few: give at least 2")
    program = _program(wanted)
    expected, found = _rates(program, count), _read(schedule_under_test, count, float(_rates(program, 1)[0]))
    checks = [_formula(wanted, program, expected, found)]
    if not _is_maker(schedule_under_test):
        again = _read(schedule_under_test, count, float(expected[0]))
        same = bool(np.array_equal(found, again, equal_nan=True))
        checks.append(Check("pure", same, "a second reading gives the same rates" if same else "a second reading gives other rates"))
    failed = next((check for check in checks if check.passed is False), None)
    if failed and raises:
        raise CheckFailed(failed.detail if failed.name == "formula" else f"schedule: {failed.name}: {failed.detail}")
    return checks


def _program(schedule: Schedule) -> Program:
    values = {key: float(value) for key, value in schedule.values.items()}
    return Program(((_PEAK, schedule.definition),), (), {}, values, schedule.label())


def _rates(program: Program, count: int) -> np.ndarray:
    """The learning rates of the first steps under the formula."""
    names = [time, *program.values]
    space: dict[str, Any] = {"numpy": np}
    exec(f"def rates({', '.join(map(str, names))}):\n    return {printed(program.equations[0][1])}", space)
    with np.errstate(all="ignore"):
        try:
            return np.broadcast_to(space["rates"](np.arange(float(count)), *program.values.values()), count).astype(float)
        except ArithmeticError:
            return np.full(count, np.nan)


def _is_maker(value: Any) -> bool:
    """Whether it makes a torch scheduler: a scheduler class, or a function that returns one."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    kind = torch.optim.lr_scheduler.LRScheduler
    if isinstance(value, type):
        return issubclass(value, kind)
    try:
        return isinstance(value(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)), kind)
    except Exception:  # a function of t fails in any way on an optimizer
        return False


def _read(subject: Any, count: int, first: float) -> np.ndarray:
    if not callable(subject):
        raise InputError(f"{subject!r} is no schedule: give a function of the step, or what makes a torch scheduler")
    if _is_maker(subject):
        torch = sys.modules["torch"]
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=1.0)
        scheduler = subject(optimizer)
        out = []
        for t in range(count):
            out.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            try:
                scheduler.step()
            except ValueError:  # OneCycleLR raises after its last step
                return np.array(out + [np.nan] * (count - t - 1))
        return np.array(out)
    try:
        return np.array([float(subject(t)) for t in range(count)])
    except Exception as error:
        raise InputError(f"the schedule fails with {type(error).__name__}: {(str(error).splitlines() or [''])[0]}") from error


def _same(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    limit = 1e-10 * float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected)))
    with np.errstate(all="ignore"):
        return (np.abs(found - expected) <= limit) | np.isnan(found) & np.isnan(expected)


def _formula(schedule: Schedule, program: Program, expected: np.ndarray, found: np.ndarray) -> Check:
    same = _same(found, expected)
    ended = np.isnan(found) & ~np.isnan(expected)
    if same[~ended].all():
        words = f"follows {schedule.label()} over {int((~ended).sum())} steps"
        return Check("formula", True, words + (f"; it gives no rate from t = {int(np.argmax(ended))} on" if ended.any() else ""))
    t = int(np.argmax(~same))
    cause = next((words for words, rates in _candidates(program, found) if _same(found, rates)[~np.isnan(found)].all()), None)
    head = f"schedule does not follow {schedule.label()}" + (f": it looks like {cause}." if cause else ".")
    line = f"  At t = {t} it should be {expected[t]:.10g} and is {found[t]:.10g}; {int((~same).sum())} of {len(same)} steps differ."
    return Check("formula", False, f"{head}\n{line}")


def _candidates(program: Program, found: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Schedules that a programmer writes by mistake: steps counted otherwise, lengths off by one, ends, other numbers, other shapes."""
    count, expression = len(found), program.equations[0][1]

    def changed(expr: sp.Expr) -> np.ndarray:
        return _rates(program.with_equations(((_PEAK, expr),)), count)

    yield "steps counted as t - 1 (one too late)", changed(expression.xreplace({time: time - 1}))
    yield "steps counted as t + 1 (one too far)", changed(expression.xreplace({time: time + 1}))
    first = np.concatenate([_rates(program, count)[:1], _rates(program, count - 1)])
    yield "steps counted as t - 1 (one too late: the first rate comes twice)", first
    for key, value in program.values.items():
        if str(key) in ("steps", "warmup"):
            for by, words in ((1, "one more"), (-1, "one less")):
                other = program.with_values({key: value + by})
                yield f"{key} = {value + by:g}, {words} than asked for (off by one)", _rates(other, count)
                moved = _rates(other.with_equations(((_PEAK, expression.xreplace({time: time - by})),)), count)
                yield f"{key} = {value + by:g} with steps counted as t {'-' if by > 0 else '+'} 1", moved
    named = {str(key): key for key in program.values}
    if {"rise", "steps"} <= named.keys():
        rise, steps = named["rise"], named["steps"]
        top = rise * steps - 1
        yield f"the peak at {top} in place of rise*(steps - 1) (off by one)", changed(expression.xreplace({rise: top / (steps - 1)}))
    for node in expression.atoms(sp.Piecewise):
        for k in range(len(node.args)):
            for words, when in (("t - 1", time - 1), ("t + 1", time + 1)):
                pieces = [(value.xreplace({time: when}) if i == k else value, condition) for i, (value, condition) in enumerate(node.args)]
                yield f"steps counted as {words} in part {k + 1} alone", changed(expression.xreplace({node: sp.Piecewise(*pieces)}))
            rest = [*node.args[:k], *node.args[k + 1 :]]
            if rest:
                last = [*rest[:-1], (rest[-1][0], sp.true)]
                words = (
                    "the floor after the end missing: it goes on beyond its last step"
                    if k == len(node.args) - 1
                    else f"part {k + 1} left out"
                )
                yield words, changed(expression.xreplace({node: sp.Piecewise(*last)}))
        whole = [piece for piece, _ in node.args[:-1]]
        if whole:
            period = next((key for key in program.values if str(key) == "steps"), None)
            if period is not None:
                yield "the schedule starting over after its end (a restart)", changed(expression.xreplace({time: sp.Mod(time, period)}))
    for cosine in expression.atoms(sp.cos):
        inside = cosine.args[0] / sp.pi
        yield (
            "a straight line in place of the cosine",
            changed(expression.xreplace({c: 1 - 2 * c.args[0] / sp.pi for c in expression.atoms(sp.cos)})),
        )
        yield "pi missing in the cosine", changed(expression.xreplace({cosine: sp.cos(inside)}))
        yield "a whole cosine in place of half of one", changed(expression.xreplace({cosine: sp.cos(2 * cosine.args[0])}))
    for root in [p for p in expression.atoms(sp.Pow) if p.exp in (sp.S.Half, -sp.S.Half)]:
        yield "the square root missing", changed(expression.xreplace({root: root.base ** (2 * root.exp)}))
    fractions = {abs(number) for number in expression.atoms(sp.Rational) if abs(number.p) == 1 and number.q > 2}
    for number in sorted(fractions, key=str):
        for divisor in (10, 1000, 10_000, 25):
            other = sp.Rational(1, divisor)
            yield f"a factor {other} in place of {number}", changed(expression.xreplace({number: other, -number: -other}))
        yield f"zero in place of the factor {number}", changed(expression.xreplace({number: sp.Integer(0), -number: sp.Integer(0)}))
    yield from _fitted(program, found)
    peak = float(np.nanmax(np.abs(found), initial=0.0))
    own = float(np.nanmax(np.abs(_rates(program, count)), initial=0.0))
    if own > 0 and peak > 0:
        yield f"all rates multiplied by {peak / own:.6g}", _rates(program, count) * (peak / own)
    for words, edit in mangled(program):
        yield words.replace(f" in {_PEAK}", ""), _rates(edit, count)


def _fitted(program: Program, found: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Another value of one option: plain ones, and those that the rates themselves show."""
    ends = [float(x) for x in (found[0], np.nanmax(found), found[np.isfinite(found)][-1])] if np.isfinite(found).any() else []
    for key, value in program.values.items():
        for other in dict.fromkeys([0.0, 0.1, 0.25, 0.3, 0.5, 1.0, *ends, value / 10, value * 10, value / 2, value * 2]):
            if other != value:
                yield f"{key} = {other:.6g}, not {value:g}", _rates(program.with_values({key: other}), count=len(found))
