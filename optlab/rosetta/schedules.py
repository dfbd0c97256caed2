"""Schedules between libraries: the options of one solved for, piece by piece, so that it takes the other's learning rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from optlab import schedules
from optlab.dialects import Dialect, option, spellings
from optlab.errors import InputError
from optlab.expressions import Schedule, exact
from optlab.libraries import LIBRARIES, MOMENTUM_TOO, split_call
from optlab.printing import text
from optlab.rosetta.call import CallVerdict
from optlab.rosetta.forms import plain_number
from optlab.symbols import time

#: Numbers at which a difference is shown.
EXAMPLE = {"alpha": "1/10", "a": "1/10", "c": 2, "t0": 20, "peak": "1/10", "floor": "1/100", "steps": 11, "warmup": 3, "base": "1/250"}
Piece = tuple[sp.Expr | None, sp.Expr]


@dataclass(frozen=True)
class ScheduleVerdict(CallVerdict):
    """What a library makes of a schedule.

    ``apart`` holds the first step (from 0) at which the two differ, and the learning rates there, at the numbers that were given, or
    at examples.
    """

    proved: bool = False
    apart: tuple[int, float, float] | None = None
    rates: tuple[tuple[float, ...], ...] = ((), ())

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return super().document() | {"rates": [list(rates) for rates in self.rates]}


@dataclass(frozen=True)
class ScheduleSetting:
    """A schedule's expression in its own options, and the numbers that were given."""

    name: str
    label: str
    library: str
    expression: sp.Expr
    numbers: dict[sp.Symbol, sp.Expr]


def pieces(expression: sp.Expr) -> list[Piece]:
    """(end, value) of each piece, the last without an end."""
    if not isinstance(expression, sp.Piecewise):
        return [(None, expression)]
    return [(None if when == sp.true else when.rhs if when.lhs == time else when.lhs, value) for value, when in expression.args]


def solve(source: sp.Expr, dialect: Dialect) -> tuple[dict[sp.Symbol, sp.Expr], list[bool]] | None:
    """The options of the dialect for which it takes the source's learning rates, and for each common piece whether it then does.

    Ends are equated, so are the cosines' arguments and the coefficients of what is left; SymPy solves. None if nothing solves them.
    """
    theirs = dialect.expression.xreplace({option(key): sp.sympify(value) for key, value in dialect.fixed.items()})
    unknown = sorted(theirs.free_symbols - {time}, key=str)
    new = {key: sp.Dummy(key.name, positive=True) for key in unknown}
    theirs = theirs.xreplace(new)
    pairs = list(zip(pieces(source), pieces(theirs), strict=False))
    for count in range(len(pairs), 0, -1):
        equations = [e for pair in pairs[-count:] for e in _equations(*pair)]
        for found in _solutions([e for e in equations if e != 0], list(new.values())):
            if count < len(pairs):
                found = dict.fromkeys(new.values(), sp.Integer(0)) | found
            if all(dummy in found for dummy in new.values()):
                same = [sp.simplify(a - b.xreplace(found)) == 0 for (_, a), (_, b) in pairs]
                ends = [p is None or q is None or sp.simplify(p - q.xreplace(found)) == 0 for (p, _), (q, _) in pairs]
                return {key: sp.factor(found[new[key]]) for key in unknown}, [s and e for s, e in zip(same, ends, strict=True)]
    return None


def _equations(ours: Piece, theirs: Piece) -> list[sp.Expr]:
    (end, value), (their_end, their_value) = ours, theirs
    out = [end - their_end] if end is not None and their_end is not None else []
    cosines = [sorted(e.atoms(sp.cos), key=str) for e in (value, their_value)]
    C = sp.Dummy("C")
    if len(cosines[0]) == len(cosines[1]) == 1:
        inside = [c[0].args[0] for c in cosines]
        out += [sp.numer(sp.together((inside[0] - inside[1]).subs(time, step))) for step in (0, 1)]
        value, their_value = value.xreplace({cosines[0][0]: C}), their_value.xreplace({cosines[1][0]: C})
    difference = sp.numer(sp.together(value - their_value))
    return [*out, *sp.Poly(sp.expand(difference), time, C).coeffs()]


def _solutions(equations: list[sp.Expr], unknown: list[sp.Symbol]) -> list[dict[sp.Symbol, sp.Expr]]:
    try:
        found: list[dict[sp.Symbol, sp.Expr]] = sp.solve(equations, unknown, dict=True, simplify=True)
    except NotImplementedError:
        return []
    return found


def own_schedule(schedule: Schedule | str) -> ScheduleSetting:
    """A schedule's own form, with what is bound or has a default."""
    schedule = schedules.get(schedule)
    numbers = {key: schedule.bound.get(key, record.default) for key, record in schedule.parameters.items()}
    given = {key: value for key, value in numbers.items() if value is not None} if schedule.bound else {}
    return ScheduleSetting(schedule.name, schedule.label(), "optlab", schedule.definition, given)


def read_schedule(text: str) -> ScheduleSetting | None:
    """A library's schedule as it is typed; None if the call is none."""
    call, given = split_call(text)
    every = [(s.name, d) for s in schedules.builtin() for library in LIBRARIES for d in spellings(s.dialects.get(library))]
    found = [(name, dialect) for name, dialect in every if dialect.call == call]
    if not found:
        return None
    if call.endswith("CosineDecay") and given.get("warmup_target") is None:
        found = [pair for pair in found if pair[0] == "cosine"]
    name, dialect = found[-1]
    wanted = {str(key): key for key in dialect.expression.free_symbols - {time}}
    numbers = {}
    for key, value in (dialect.defaults | given).items():
        if key in wanted and value is not ... and value is not None:
            numbers[wanted[key]] = exact(value, f"{call}: {key}")
        elif key in given and key not in wanted and value != dialect.defaults[key] and key not in MOMENTUM_TOO:
            raise InputError(f"{call}: {key}={value!r} is not written as a schedule here; leave it out to compare the rest")
    missing = [key for key in wanted if wanted[key] not in numbers]
    if missing:
        raise InputError(f"{call} needs {', '.join(missing)}: give numbers, as in {missing[0]}=100")
    return ScheduleSetting(name, text.strip(), dialect.library, dialect.expression, numbers)


def compare_schedule(source: ScheduleSetting, library: str) -> ScheduleVerdict:
    """The verdict on a schedule in a library.

    >>> compare_schedule(own_schedule("one_cycle"), "torch").mapping["pct_start"]
    (rise*steps - rise + 1)/steps
    """
    dialects = spellings(schedules.get(source.name).dialects.get(library))
    if not dialects:
        return ScheduleVerdict(source.label, library, "impossible", why=f"no schedule of {library} computes {source.name}")
    dialect = dialects[0]
    solved = solve(source.expression, dialect)
    numbers = source.numbers or {key: exact(EXAMPLE.get(key.name, "3/10")) for key in source.expression.free_symbols - {time}}
    if solved is None:
        return ScheduleVerdict(source.label, library, "impossible", dialect.call, why="nothing solves for its options", note=dialect.note)
    mapping, holds = solved
    shown = {key: value.xreplace(numbers) for key, value in mapping.items()}
    ours = source.expression.xreplace(numbers)
    theirs = dialect.expression.xreplace({option(k): sp.sympify(v) for k, v in dialect.fixed.items()}).xreplace(shown)
    length = max([int(end.xreplace(numbers)) for end, _ in pieces(source.expression) if end is not None] or [20])
    rates = tuple(tuple(float(e.subs(time, step)) for step in range(length + 4)) for e in (ours, theirs))
    apart = next((n for n, (a, b) in enumerate(zip(*rates, strict=True)) if abs(a - b) > 1e-9 * max(rates[0])), None)
    all_hold, ends = all(holds), [[end for end, _ in pieces(e)] for e in (source.expression, dialect.expression.xreplace(mapping))]
    until = None if len(ends[0]) == len(ends[1]) else ends[0][0] if len(ends[0]) > len(ends[1]) else ends[1][0]
    kind = "mapped" if all_hold else "impossible"
    conditions = (f"t <= {text(until)}",) if all_hold and until is not None else ()
    if all_hold and "whole number" in dialect.note:
        conditions = ("pct_start * transition_steps a whole number",)
    options = {key.name: value for key, value in mapping.items()} | {key: sp.sympify(value) for key, value in dialect.fixed.items()}
    line = _line(dialect, {str(key): value for key, value in shown.items()} | dict(dialect.fixed)) if source.numbers else ""
    why = "" if all_hold else f"{dialect.note or 'its pieces differ'}"
    return ScheduleVerdict(
        source.label, library, kind, dialect.call, line, options, conditions, why, dialect.note, all_hold,
        None if apart is None else (apart, rates[0][apart], rates[1][apart]), rates,
    )  # fmt: skip


def _line(dialect: Dialect, values: dict[str, Any]) -> str:
    numbers = {key: plain_number(sp.sympify(value)) for key, value in values.items()}
    rate = numbers.pop("lr", None)
    shown = [f"{key}={numbers[key]!r}" for key, default in dialect.defaults.items() if key in numbers and numbers[key] != default]
    torch = dialect.call.startswith("torch.")
    shown = (["optimizer"] if torch else []) + shown + (["cycle_momentum=False"] if "cycle_momentum" in dialect.defaults else [])
    return f"{dialect.call}({', '.join(shown)})" + (f"  # with lr={rate!r} in the optimizer" if rate is not None else "")


def schedule_matrix() -> list[ScheduleVerdict]:
    """Every schedule's own form in every library."""
    return [compare_schedule(own_schedule(name), library) for name in schedules.names() for library in LIBRARIES]
