"""What the exports share: one step of a rule as statements, and the head of what is printed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from optlab.codegen.rules import lowered
from optlab.errors import InputError
from optlab.expressions import Equations, Rule
from optlab.printing import text
from optlab.symbols import alpha, g, t, theta

#: Names of options that the libraries' own optimizers have, with another meaning.
TAKEN = frozenset("self params lr initial_lr learning_rate".split())


@dataclass(frozen=True)
class Step:
    """A rule's equations with every hyper-parameter a symbol, and what in them is an array.

    Raises InputError where a hyper-parameter has the name of an option that every optimizer has, or a scalar state depends on an array.
    """

    rule: Rule

    def __post_init__(self) -> None:
        for key in self.rule.parameters:
            if key.name in TAKEN:
                raise InputError(
                    f"rule {self.rule.name}: an exported optimizer has an option {key} of its own; give the parameter another name"
                )
        lowered(self.rule)  # refuses a scalar state that depends on theta, g or a coordinate state

    @cached_property
    def equations(self) -> Equations:
        """In order, hyper-parameters as symbols."""
        return self.rule.unbound().equations

    @cached_property
    def point(self) -> sp.Expr:
        """Where the gradient is taken."""
        return self.rule.unbound().gradient_at

    @cached_property
    def initial(self) -> dict[sp.Symbol, sp.Expr]:
        """The states before the first step."""
        return self.rule.unbound().initial

    @property
    def looks_ahead(self) -> bool:
        """Whether the gradient is taken at another point than theta."""
        return bool(self.point != theta)

    @cached_property
    def arrays(self) -> frozenset[sp.Symbol]:
        """The symbols with one number per coordinate."""
        found = {theta, g, *self.rule.coordinate_states}
        for left, right in self.equations:
            if right.free_symbols & found:
                found.add(left)
        return frozenset(found)

    @cached_property
    def reads(self) -> set[sp.Symbol]:
        """Every symbol that the equations read."""
        return set().union(*(right.free_symbols for _, right in self.equations))

    @property
    def hyper(self) -> tuple[sp.Symbol, ...]:
        """The hyper-parameters, in order."""
        return tuple(self.rule.parameters)

    @property
    def used(self) -> list[sp.Symbol]:
        """The hyper-parameters that the equations or the gradient's point read: not those that only a first state needs."""
        return [key for key in self.hyper if key in self.reads | self.point.free_symbols]

    def signature(self) -> str:
        """The hyper-parameters as keyword arguments with their values as defaults; one that has none must be given.

        >>> from optlab import rules
        >>> Step(rules.get("momentum", beta=0.5)).signature()
        'beta=0.5'
        """
        given = {key: self.rule.bound.get(key, record.default) for key, record in self.rule.parameters.items()}
        return ", ".join(str(key) if value is None else f"{key}={_plain(value)}" for key, value in given.items())

    def ranges(self) -> Iterator[tuple[sp.Symbol, str, str]]:
        """Each hyper-parameter that is bounded: itself, the condition ``0 <= {} < 1`` as a format, and the interval in words."""
        for key, record in self.rule.parameters.items():
            domain = record.domain
            if not isinstance(domain, sp.Interval):
                continue
            low = "" if domain.start is sp.S.NegativeInfinity else f"{_plain(domain.start)} {'<' if domain.left_open else '<='} "
            high = "" if domain.end is sp.S.Infinity else f" {'<' if domain.right_open else '<='} {_plain(domain.end)}"
            if low or high:
                yield key, f"{low}{{}}{high}", record.within

    def count_name(self) -> str:
        """Under which name the number of steps is kept: ``step``, unless a state has that name."""
        return "t" if "step" in {key.name for key in self.rule.state} else "step"

    def about(self, indent: str) -> str:
        """The docstring's text: name, summary, reference, and the equations as they were printed from."""
        lines = [f"{self.rule.label()}{': ' + self.rule.summary if self.rule.summary else ''}."]
        if self.rule.reference:
            lines += textwrap.wrap(self.rule.reference + ".", 110)
        lines.append("")
        if self.looks_ahead:
            lines.append(f"    g = gradient at {text(self.point)}")
        lines += [f"    {left} <- {text(right)}" for left, right in self.equations]
        return "\n".join(f"{indent}{line}" if line else "" for line in lines)

    def meanings(self, rate: str, indent: str) -> str:
        """What each option is, a line each."""
        rows = [f"{rate}: learning rate (alpha)"] + [
            f"{key}: {record.about or 'hyper-parameter'}, in {record.within}" for key, record in self.rule.parameters.items()
        ]
        return "\n".join(indent + row for row in rows)


def _plain(value: sp.Expr) -> str:
    return str(value) if isinstance(value, sp.Integer) else repr(float(value))


def class_name(rule: Rule) -> str:
    """``rmsprop_momentum`` as the name of a class.

    >>> from optlab import rules
    >>> class_name(rules.get("rmsprop_momentum"))
    'RmspropMomentum'
    """
    return "".join(part[:1].upper() + part[1:] for part in rule.name.split("_"))


def scalars_and_arrays(step: Step) -> tuple[Equations, Equations, dict[sp.Symbol, sp.Symbol]]:
    """The equations of numbers, then those of arrays: each symbol assigned once among the numbers, so that their order no longer matters.

    The third is the name of each scalar state's next value.
    """
    taken = {
        s.name for s in {alpha, g, t, theta} | step.reads | set(step.hyper) | set(step.rule.state) | {left for left, _ in step.equations}
    }
    current: dict[sp.Symbol, sp.Symbol] = {}
    known = set(step.rule.scalar_states)
    numbers, arrays = [], []
    for left, right in step.equations:
        right = right.xreplace(current)
        if left in step.arrays:
            arrays.append((left, right))
            continue
        name = left
        if left in known:
            label = f"{left}_next"
            while label in taken:
                label += "_"
            taken.add(label)
            name = sp.Symbol(label, real=True)
        known.add(left)
        current[left] = name
        numbers.append((name, right))
    return tuple(numbers), tuple(arrays), {key: current.get(key, key) for key in step.rule.scalar_states}
