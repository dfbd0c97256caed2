"""Where two settings part: the shortest sequence of gradients that shows it, found by trying all of them in order of length."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from optlab.rosetta.forms import Setting
from optlab.rosetta.walk import walker

#: What a witness is made of, the simplest first.
GRADIENTS = (1.0, -1.0, 0.0, 2.0, 0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10)
LONGEST = 3
START, RATE = 1.0, 0.1


@dataclass(frozen=True)
class Parting:
    """``step`` is the first step after which the two are apart; ``gradients`` and ``rates`` the shortest sequences that show it.

    ``ours`` and ``theirs`` hold theta (the point where the gradient is taken) at the start and after every step.
    """

    step: int
    gradients: tuple[float, ...]
    rates: tuple[float, ...]
    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    def text(self) -> str:
        """In a line.

        >>> Parting(1, (0.0001,), (0.1,), (1.0, 0.9), (1.0, 0.8)).text()
        'step 1, gradient 0.0001, learning rate 0.1: theta from 1 to 0.9 against 0.8'
        """
        rates = _listed("learning rate", self.rates[:1] if len(set(self.rates)) == 1 else self.rates)
        shown = _listed("gradient", self.gradients)
        ours, theirs = _apart(self.ours[-1], self.theirs[-1])
        return f"step {self.step}, {shown}, {rates}: theta from {self.ours[0]:g} to {ours} against {theirs}"


def _listed(what: str, values: tuple[float, ...]) -> str:
    return f"{what}{'s' * (len(values) > 1)} {', '.join(f'{value:g}' for value in values)}"


def _apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers with as many digits as tell them apart, four at least."""
    for digits in range(4, 17):
        if f"{one:.{digits}g}" != f"{other:.{digits}g}":
            more = min(digits + 1, 17) if digits > 4 else digits
            return f"{one:.{more}g}", f"{other:.{more}g}"
    return repr(one), repr(other)


def _sequences() -> Iterator[tuple[tuple[float, ...], tuple[float, ...]]]:
    """(rates, gradients), the shortest first; a learning rate that changes only where a constant one shows nothing."""
    for changing in (False, True):
        for length in range(1, LONGEST + 1):
            rates = (RATE,) + (RATE / 2 if changing else RATE,) * (length - 1)
            if changing and length == 1:
                continue
            for gradients in itertools.product(GRADIENTS, repeat=length):
                yield rates, gradients


def parting(source: Setting, target: Setting, factor: float = 1.0) -> Parting | None:
    """The shortest sequence after which the two differ by a hundredth of their way at least (by 1e-6 of it, if none does by more).

    ``factor`` multiplies the target's learning rate.
    """
    ours, theirs = walker(source.form.rule), walker(target.form.rule)
    mine, yours = ({key: float(value) for key, value in setting.numbers.items()} for setting in (source, target))
    for share in (1e-2, 1e-6):
        for rates, gradients in _sequences():
            one = ours.points(mine, rates, gradients, START)
            other = theirs.points(yours, [rate * factor for rate in rates], gradients, START)
            if any(map(math.isnan, (*one, *other))):
                continue
            way = max(abs(one[-1] - START), abs(other[-1] - START))
            if abs(one[-1] - other[-1]) > share * way > 0:
                step = next(n for n, (a, b) in enumerate(zip(one, other, strict=True)) if abs(a - b) > 1e-9 * way)
                return Parting(step, gradients, rates, tuple(one), tuple(other))
    return None


def paths(source: Setting, target: Setting, steps: int = 40, seed: int = 3, factor: float = 1.0) -> tuple[list[float], list[float]]:
    """Both on the quadratic f = theta^2 / 2 from theta = 1, each fed its own gradients: for a picture."""
    out = []
    for setting, times in ((source, 1.0), (target, factor)):
        walk, rate = walker(setting.form.rule), RATE * times
        now = walk.start({key: float(value) for key, value in setting.numbers.items()}, START)
        path = [walk.point(now, rate, 1)]
        for step in range(1, steps + 1):
            walk.advance(now, path[-1], rate, step)
            path.append(walk.point(now, rate, step + 1))
        out.append(path)
    return out[0], out[1]
