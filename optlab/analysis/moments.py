"""The first two moments of a linear rule, step by step, in exact or high-precision arithmetic: small cases, for every schedule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp

from optlab import rules, schedules
from optlab.analysis.linear import linear_form
from optlab.errors import InputError
from optlab.expressions import Rule, Schedule
from optlab.symbols import alpha, lam, s2, t


@dataclass(frozen=True)
class StepMoments:
    """E[s] (k, 1) and E[s s'] (k, k) of s = (theta, states...) after ``step`` steps."""

    step: int
    mean: sp.ImmutableMatrix
    second: sp.ImmutableMatrix

    @property
    def loss(self) -> sp.Expr:
        """E[theta^2] / 2: times the curvature it is the expected loss of the direction."""
        return self.second[0, 0] / 2

    @property
    def variance(self) -> sp.Expr:
        """The variance of theta."""
        return self.second[0, 0] - self.mean[0] ** 2


def exact_moments(
    rule: Rule | str,
    *,
    schedule: Schedule | float | str,
    steps: int,
    curvature: object = lam,
    noise: object = s2,
    start: object = 1,
    scatter: object = 0,
    digits: int | None = None,
) -> Iterator[StepMoments]:
    """The moments before the first step and after each one on ``f = curvature/2 theta^2``, gradient noise of variance ``noise``.

    Numbers become Rationals and stay so under schedules of rational values; symbols pass through. With ``digits`` every
    number is a float of that many digits instead: cosines are algebraic numbers whose exact sums grow too fast.
    ``scatter`` is the standard deviation of the start.

    Raises NotLinearError for adaptive rules.

    >>> [moment.second[0, 0] for moment in exact_moments("sgd", schedule="constant(alpha=1/2)", steps=2, curvature=1, noise=1)]
    [1, 1/2, 3/8]
    """
    chosen, record = rules.get(rule), schedules.as_schedule(schedule)
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 0:
        raise InputError(f"steps = {steps!r} must be a whole number of at least 0")

    def number(value: object) -> sp.Expr:
        exact = sp.nsimplify(value, rational=True) if isinstance(value, float) else sp.sympify(value)
        return exact if digits is None else sp.N(exact, digits)

    form, values = linear_form(chosen), chosen.values
    A, b, c = (m.xreplace(values) for m in (form.A, form.b, form.c))
    h, variance = number(curvature), number(noise)
    s = sp.Matrix([number(start), *(number(chosen.initial[key].xreplace(values)) for key in chosen.coordinate_states)])
    second = s * s.T
    second[0, 0] += number(scatter) ** 2
    for step in range(steps + 1):
        yield StepMoments(step, sp.ImmutableMatrix(s), sp.ImmutableMatrix(second))
        if step == steps:
            return
        now = {alpha: number(record.at(step)), t: sp.Integer(step + 1)}
        An, bn, cn = (m.xreplace(now).doit().applyfunc(number) for m in (A, b, c))
        M = An + h * bn * cn
        s = (M * s).applyfunc(sp.expand)
        second = (M * second * M.T + variance * bn * bn.T).applyfunc(sp.expand)
