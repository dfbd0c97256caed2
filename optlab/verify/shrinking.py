"""The shortest gradient sequence on which two optimizers part: found and shrunk by Hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, Phase, currently_in_test_context, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from optlab.verify.evaluation import Setting, deviation

Run = Callable[[Setting], np.ndarray]
_QUIET = settings(
    max_examples=60, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)  # fmt: skip
CALLS = 400  #: after so many runs the best so far is taken


def shortest(one: Run, other: Run, setting: Setting, place: int, *, constant: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients, rates and a start, as short and plain as can be, on which the runs differ beyond rounding.

    Simple numbers are tried first, on one coordinate, then on two in parameters of their own (a state may be shared); where those
    show nothing, the coordinate ``place`` of the setting until its first difference is made shorter and plainer.

    >>> from optlab import rules
    >>> from optlab.verify.evaluation import Program
    >>> from optlab.verify.probes import telling
    >>> sgd, momentum = (Program.of(rules.get(name)).run for name in ("sgd", "momentum"))
    >>> gradients, rates, start = shortest(sgd, momentum, telling(), 0)
    >>> gradients.ravel().tolist(), rates.tolist(), start.tolist()
    ([1.0, 0.0], [0.1, 0.1], [0.0])
    """
    calls = 0

    def parts(case: Setting) -> bool:
        nonlocal calls
        calls += 1
        if calls > CALLS:
            return False
        return bool(np.any(deviation(one(case), other(case)) > 1))

    rate = float(setting.rates[0]) if constant else 0.1
    drawn = [0.0, 1.0, -1.0, 2.0, 0.5, 1e-4, 1e-8, 100.0]

    def case_of(gradients: list[tuple[float, ...]], begin: float, second: float) -> Setting:
        rates = np.full(len(gradients), rate)
        if not constant and len(gradients) > 1:
            rates[1:] = second
        width = len(gradients[0])
        return Setting(np.array(gradients), rates, np.full(width, begin), (1,) * width)

    for width in () if currently_in_test_context() else (1, 2):  # Hypothesis does not search within its own tests
        row = st.tuples(*[st.sampled_from(drawn)] * width)
        for longest in (1, 2, 3, 6):
            strategy = st.builds(
                case_of,
                st.lists(row, min_size=1, max_size=longest),
                st.sampled_from([0.0, 1.0]),
                st.just(rate) if constant else st.sampled_from([rate, rate / 2]),
            )
            try:
                found = find(strategy, parts, settings=_QUIET)
            except NoSuchExample:
                continue
            return found.gradients, found.rates, found.start
    calls = 0
    differing = deviation(one(setting), other(setting))[:, place] > 1
    last = int(np.argmax(differing)) or len(setting.rates)
    cut = Setting(setting.gradients[:last, [place]], setting.rates[:last], setting.start[[place]], (1,))
    if not parts(cut):
        return setting.gradients[:last], setting.rates[:last], setting.start
    cut = _plainer(cut, parts)
    return cut.gradients, cut.rates, cut.start


def _plainer(case: Setting, parts: Callable[[Setting], bool]) -> Setting:
    """A case that differs, made shorter and its numbers plainer as long as it still does: for differences that only few numbers show."""
    length = len(case.rates)
    while length >= 1:  # leave out runs of steps, long ones first
        begin = 0
        while begin + length <= len(case.rates) and len(case.rates) > length:
            shorter = _without(case, begin, begin + length)
            if parts(shorter):
                case = shorter
            else:
                begin += length
        length //= 2
    plain = replace(case, rates=np.full_like(case.rates, 0.1)) if len(set(case.rates)) > 1 else case
    case = plain if parts(plain) else case
    zero = replace(case, start=0 * case.start)
    case = zero if parts(zero) else case
    for scale in (1 / float(np.abs(case.gradients).max() or 1.0), 1.0):
        scaled = replace(case, gradients=case.gradients * scale)
        if parts(scaled):
            case = scaled
            break
    for step in range(len(case.rates)):
        for digits in (0, 1, 2, 3):
            gradients = case.gradients.copy()
            gradients[step] = float(f"{gradients[step, 0]:.{digits}e}")
            rounded = replace(case, gradients=gradients)
            if parts(rounded):
                case = rounded
                break
    return case


def _without(case: Setting, begin: int, end: int) -> Setting:
    keep = np.r_[0:begin, end : len(case.rates)]
    return replace(case, gradients=case.gradients[keep], rates=case.rates[keep])
