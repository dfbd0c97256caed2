"""A claim as a record: what is said, what is measured, and the rule by which a verdict follows from intervals alone.

The rule is fixed before anything runs. Each part of a claim names one quantity and where the claim says it lies. A part holds if the
whole interval lies there, fails if none of it does, and is open otherwise. The verdict follows:

=====================================  =============================
the parts                              the verdict
=====================================  =============================
all hold                               holds
none holds, none is open               does not hold
some hold and some fail                holds under conditions
otherwise (something is open)          undecided at this sample size
=====================================  =============================

So exchanging the data of two optimizers changes a verdict that compares them, and a larger sample can only make it surer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

import xarray as xr

from optlab.experiments.experiment import Run

CONFIDENCE = 0.999  #: of every interval, unless its part says otherwise


class Verdict(Enum):
    """What the numbers say of a claim."""

    HOLDS = "holds"
    CONDITIONS = "holds under conditions"
    FAILS = "does not hold"
    UNDECIDED = "undecided at this sample size"
    UNTESTED = "not tested"


class Outcome(Enum):
    """What one interval says of one part."""

    HOLDS = "yes"
    FAILS = "no"
    OPEN = "open"


@dataclass(frozen=True)
class Measured:
    """A number with its interval; an exact one has no width."""

    value: float
    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Measured:
        """A number that is computed, not sampled."""
        return cls(value, value, value)

    @classmethod
    def around(cls, value: float, half_width: float) -> Measured:
        """Value and half the width of its interval."""
        return cls(value, value - half_width, value + half_width)


@dataclass(frozen=True)
class Part:
    """One quantity, and where the claim says it lies.

    Parameters
    ----------
    key
        Names the number that :attr:`Claim.measure` returns.
    says
        What the quantity is.
    expected
        The closed interval in which the claim puts it; infinite ends are open.
    condition
        Under what it is measured: what "holds under conditions" then names.
    """

    key: str
    says: str
    expected: tuple[float, float]
    condition: str = ""

    def outcome(self, found: Measured) -> Outcome:
        """Whether the interval lies in the expected one, outside, or across an end; what is not a number is open.

        >>> part = Part("ratio", "measured over predicted", (0.9, 1.1))
        >>> [part.outcome(Measured.around(value, 0.05)).value for value in (1.0, 1.1, 1.5)]
        ['yes', 'open', 'no']
        """
        low, high = self.expected
        if not all(map(_known, (found.value, found.low, found.high))):
            return Outcome.OPEN
        if low <= found.low and found.high <= high:
            return Outcome.HOLDS
        if found.high < low or found.low > high:
            return Outcome.FAILS
        return Outcome.OPEN


def _known(value: float) -> bool:
    return not math.isnan(value)


@dataclass(frozen=True)
class Setting:
    """How a claim is to be tested: how thoroughly, and with which seed."""

    preset: str = "quick"
    seed: int = 0
    grid: str = "reports/cifar10/runs.nc"  #: what ``optlab grid`` wrote: claims about real networks are read from it

    def pick(self, sizes: Mapping[str, int]) -> int:
        """The sample size of this preset."""
        return sizes[self.preset]


@dataclass(frozen=True)
class Findings:
    """What was measured: a number for each part, and the data behind the figure."""

    numbers: dict[str, Measured]
    data: xr.Dataset
    remarks: tuple[str, ...] = ()  #: sentences made from the numbers


@dataclass(frozen=True)
class Claim:
    """One claim of the source article.

    Parameters
    ----------
    number, name
        Its place among the 22, and a short name: of its file, its figure and its row.
    statement
        What the article says.
    test
        What is measured and how: statistic, sample size, threshold. Fixed before the run.
    parts
        The quantities, and where the claim puts them.
    measure
        Runs cells and returns the numbers.
    sizes
        The sample size of each preset.
    reference
        Where the mathematics behind the test stands.
    networks
        If its cells are small networks, which keep one core each busy and run in processes of their own: about how many seconds a long one
        takes. Claims with long cells go first, so that none of them is waited for at the end.
    figure
        The file of :mod:`optlab.reporting.figures.claims` that draws its data; by default that of its name.
    """

    number: int
    name: str
    statement: str
    test: str
    parts: tuple[Part, ...]
    measure: Callable[[Setting, Run], Findings]
    sizes: Mapping[str, int] = field(default_factory=dict)
    reference: str = ""
    networks: float = 0.0
    figure: str = ""

    def outcomes(self, numbers: Mapping[str, Measured]) -> list[Outcome]:
        """What each part's interval says."""
        nothing = Measured(math.nan, math.nan, math.nan)
        return [part.outcome(numbers.get(part.key, nothing)) for part in self.parts]

    def verdict(self, numbers: Mapping[str, Measured]) -> Verdict:
        """The verdict that follows from the intervals; see the table of this module."""
        found = set(self.outcomes(numbers))
        if not numbers:
            return Verdict.UNTESTED
        if found == {Outcome.HOLDS}:
            return Verdict.HOLDS
        if found == {Outcome.FAILS}:
            return Verdict.FAILS
        if {Outcome.HOLDS, Outcome.FAILS} <= found:
            return Verdict.CONDITIONS
        return Verdict.UNDECIDED


__all__ = ["CONFIDENCE", "Claim", "Findings", "Measured", "Outcome", "Part", "Setting", "Verdict"]
