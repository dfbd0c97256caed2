"""What a budget of steps can reach: the best peak learning rate under a schedule, solved from the exact prediction, and the role of B.

The expected final loss of a linear rule is a smooth function of the peak. Its derivative comes from the same recursion at a
complex rate (see :mod:`optlab.ensemble.moments`), so the best peak is a root of it, not the best of some runs.
"""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
import sympy as sp
import xarray as xr
from scipy.optimize import brentq, minimize_scalar

from optlab import problems, schedules
from optlab.ensemble.bind import learning_rates
from optlab.ensemble.moments import Directions, Moments, Multiplied, OverRows, batch_factor
from optlab.ensemble.specs import ONE_RUN, Request
from optlab.errors import InputError, UnsupportedError
from optlab.expressions import Rule, Schedule
from optlab.objectives import Problem, Rows, whole
from optlab.quantities import labeled
from optlab.symbols import symbol, sympify, time

#: The schedules of one peak: from the peak (a number or a symbol) and the number of steps, the options of the schedule of that name.
FAMILIES: dict[str, Callable[[Any, int], dict[str, Any]]] = {
    "constant": lambda peak, steps: {"alpha": peak},
    "inverse_sqrt": lambda peak, steps: {"a": peak},
    "inverse_time": lambda peak, steps: {"c": peak * max(1, steps // 9), "t0": max(1, steps // 9)},  # a tenth of the peak at the end
    "cosine": lambda peak, steps: {"peak": peak, "steps": steps},
    "warmup_cosine": lambda peak, steps: {"peak": peak, "steps": steps, "warmup": steps // 10},
    "one_cycle": lambda peak, steps: {"peak": peak, "steps": max(steps, 2), "base": peak / 25},
}
PEAK = symbol("peak")
STEP = 1e-30  #: the imaginary step of a derivative, relative to the peak
POINTS = {Directions: 112, Multiplied: 112, OverRows: 48}  #: points of the scan that makes sure of the global minimum
REFINED = 5  #: local minima of the scan that are solved for


class Family:
    """A schedule as a function of its peak: exact learning rates at real and complex peaks, from the schedule's own expression."""

    def __init__(self, name: str | Schedule, steps: int, options: Mapping[str, Any] | None = None) -> None:
        self.record, self.steps = schedules.get(name).with_(), steps
        if not isinstance(name, str):  # a record of one's own: its options say where the peak stands
            name, made = name.name, {}
        else:
            made = FAMILIES[name](PEAK, steps) if name in FAMILIES else {}
        known = {parameter.name: parameter for parameter in self.record.parameters}
        self.formulas = {key: sp.sympify(value) for key, value in made.items()} | {k: sympify(v) for k, v in (options or {}).items()}
        for key, formula in self.formulas.items():
            if key not in known:
                raise InputError(f"schedule {name} has no option {key!r}: it has {', '.join(known)}")
            if formula.free_symbols - {PEAK}:
                raise InputError(f"schedule {name}: {key} = {formula} is no formula in peak: write a number or, say, 'peak/25'")
        if not any(PEAK in formula.free_symbols for formula in self.formulas.values()):
            raise InputError(
                f"schedule {name} does not depend on peak: give one of {', '.join(known)} as a formula in it, such as c='peak*5'"
            )
        defaults = {known[key]: value for key, value in self.formulas.items()}
        missing = [
            p for p in self.record.parameters if p not in defaults and self.record.bound.get(p, self.record.parameters[p].default) is None
        ]
        if missing:
            raise InputError(f"schedule {name} needs a value for {missing[0]}: give it in options")
        rest = {p: self.record.bound.get(p, r.default) for p, r in self.record.parameters.items() if p not in defaults}
        self._rates = sp.lambdify((time, PEAK), self.record.definition.xreplace(rest | defaults), "numpy")

    def rates(self, peak: complex) -> np.ndarray:
        """alpha of every step, shape (steps,), float64 or complex128 as the peak."""
        dtype = np.complex128 if isinstance(peak, complex) else np.float64
        with np.errstate(all="ignore"):  # branches of a Piecewise that are not taken
            return np.array(np.broadcast_to(np.asarray(self._rates(np.arange(self.steps), peak), dtype), (self.steps,)))

    def schedule(self, peak: float) -> Schedule:
        """The schedule of this peak."""
        return self.record.with_(**{key: _plain(value.subs(PEAK, sp.Float(peak, 17))) for key, value in self.formulas.items()})


def _plain(value: sp.Expr) -> int | float:
    return int(value) if value.is_Integer else float(value)


@dataclass(frozen=True)
class Budget:
    """The best peak of one schedule for a number of steps. Losses are exact expectations."""

    schedule: Schedule  #: at the best peak
    peak: float
    final_loss: float
    excess: float  #: final_loss above the minimum
    derivative: float  #: of the final loss with respect to the peak, at the peak
    elasticity: float  #: peak * derivative / excess: how far from 0, free of units
    minima: tuple[tuple[float, float], ...]  #: (peak, excess) of every local minimum solved for, best first
    scanned: int  #: predictions of the scan
    solved: int  #: predictions with derivative
    seconds: float
    rates: np.ndarray = field(repr=False)  #: alpha of every step

    @cached_property
    def area(self) -> float:
        """The area under the schedule: the sum of its learning rates."""
        return math.fsum(self.rates)


class FinalLoss:
    """The exact expected final loss above the minimum as a function of the peak, and its derivative."""

    def __init__(self, moments: Moments, family: Family) -> None:
        self.moments, self.family = moments, family
        self.scanned = self.solved = 0

    def value(self, peak: float) -> float:
        """The excess; infinite where it overflows."""
        self.scanned += 1
        found = float(self.moments.final_excess(self.family.rates(float(peak))))
        return found if math.isfinite(found) else math.inf

    def both(self, peak: float) -> tuple[float, float]:
        """The excess and its derivative with respect to the peak, exact to rounding."""
        self.solved += 1
        found = complex(self.moments.final_excess(self.family.rates(complex(peak, STEP * peak))))
        return found.real, found.imag / (STEP * peak)

    def elasticity(self, log_peak: float) -> float:
        """d log(excess) / d log(peak)."""
        value, slope = self.both(math.exp(log_peak))
        return math.exp(log_peak) * slope / value if value > 0 else 0.0


def best_peak(
    rule: Rule | str,
    problem: Problem | str,
    *,
    schedule: str | Schedule = "cosine",
    steps: int,
    batch: int | None = 1,
    options: Mapping[str, Any] | None = None,
    points: int | None = None,
) -> Budget:
    """The peak learning rate of least exact expected final loss under a schedule, for this many steps.

    The peak solves dE[loss]/dpeak = 0: the range of stable peaks is scanned at ``points`` peaks, most of them within the three
    decades below its end, and the root of the derivative is bracketed and solved to a relative 1e-12 around the scan's
    lowest local minima. Minima narrower than the scan's spacing can be missed; give more points where a rule oscillates.

    Parameters
    ----------
    schedule, options
        A family of :data:`FAMILIES`, and options of its schedule as numbers or formulas in ``peak``:
        ``schedule="inverse_time", options={"c": "peak", "t0": "2*peak"}`` solves for c with t0 = 2 c. Of a record of one's own,
        ``options`` name the peak.

    Raises NotLinearError for adaptive rules, UnsupportedError where there is no exact prediction, and InputError for a schedule
    without a peak.

    >>> import optlab as ol
    >>> found = best_peak("sgd", ol.problems.quadratic(spectrum=[1.0], noise=1.0), schedule="constant", steps=1)
    >>> round(found.peak, 10), round(found.final_loss, 12)  # min (1 - a)^2 / 2 + a^2 / 2
    (0.5, 0.25)
    """
    began = clock.perf_counter()
    steps = whole(steps, "steps")
    moments = _moments(rule, problem, steps, batch)
    loss = FinalLoss(moments, Family(schedule, steps, options))
    model = moments.model
    curvature = model.curvature.max()
    start = loss.value(1e-300)
    if not curvature > 0 or start == 0:
        raise UnsupportedError("no learning rate lowers the loss: the start is a minimum already")
    grid = _stable_range(loss, float(curvature), start, whole(points or POINTS[type(model)], "points", low=3))
    values = np.array([loss.value(peak) for peak in grid])
    valleys = [i for i in range(1, len(grid) - 1) if values[i] <= values[i - 1] and values[i] < values[i + 1]]
    if not valleys:
        raise UnsupportedError("no learning rate lowers the expected loss: the noise of a step outweighs what it gains; enlarge the batch")
    minima = []
    for i in sorted(valleys, key=lambda i: values[i])[:REFINED]:
        x = _solve(loss, math.log(grid[i - 1]), math.log(grid[i]), math.log(grid[i + 1]))
        minima.append((math.exp(x), *loss.both(math.exp(x))))
    minima.sort(key=lambda item: item[1])
    peak, excess, slope = minima[0]
    return Budget(
        schedule=loss.family.schedule(peak), peak=peak, final_loss=model.least + excess, excess=excess, derivative=slope,
        elasticity=peak * slope / excess if excess > 0 else 0.0, minima=tuple((p, e) for p, e, _ in minima),
        scanned=loss.scanned, solved=loss.solved, seconds=clock.perf_counter() - began, rates=loss.family.rates(peak),
    )  # fmt: skip


def _stable_range(loss: FinalLoss, curvature: float, start: float, points: int) -> np.ndarray:
    """Peaks from where the loss still falls to where the run has blown up."""
    high = 2 / curvature
    while loss.value(high) < 4 * start and high < 1e12 / curvature:
        high *= 2
    while high > 1e-12 / curvature and loss.value(high / 2) > 4 * start:
        high /= 2
    low = 1e-3 * high / max(loss.family.steps, 1)
    while low > 1e-30 * high and loss.both(low)[1] > 0:  # a noisy step gains only where it is small
        low /= 100
    near = high / 1000
    if low >= near:
        return np.geomspace(low, high, points)
    few = points // 4  # steps this small act as one smooth decay: the loss oscillates with the peak only nearer to the limit
    return np.concatenate([np.geomspace(low, near, few, endpoint=False), np.geomspace(near, high, points - few)])


def _solve(loss: FinalLoss, left: float, middle: float, right: float) -> float:
    """The log of a peak where the derivative vanishes, between two others around a lower one."""
    signs = {x: loss.elasticity(x) for x in (left, middle, right)}
    for low, high in ((left, right), (left, middle), (middle, right)):
        if signs[low] < 0 < signs[high]:
            return float(brentq(loss.elasticity, low, high, xtol=1e-12, rtol=1e-14))
    found = minimize_scalar(lambda x: loss.value(math.exp(x)), bounds=(left, right), method="bounded", options={"xatol": 1e-9})
    return float(found.x)


def _moments(rule: Rule | str, problem: Problem | str, steps: int, batch: int | None) -> Moments:
    request = Request.read(
        rule, problem, schedule=0.0, steps=steps, batch=batch, record=[0], coordinates=False, seed=0, backend="cpu", **ONE_RUN
    )  # fmt: skip
    return Moments(cast("Rule", request.rule), request.problem, request.batch)


def final_loss(
    rule: Rule | str,
    problem: Problem | str,
    *,
    schedule: Schedule | float | str,
    steps: int,
    batches: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128, 256),
) -> xr.Dataset:
    """The exact expected final loss as a function of the batch size B.

    With additive noise it is ``c0 + c1 / B`` exactly: the attributes ``formula`` (for :func:`optlab.sympify`), ``c0`` and ``c1``.
    On tables, on fresh samples and under ``noise_law="multiplicative"`` the noise multiplies; the values at ``batches`` are exact
    (those above n are left out of subsets).

    ``critical_batch`` is the B at which noise adds as much as the noiseless excess: below it noise rules, above it steps do. It is
    not rounded, and below 1 where one row is enough; infinite where nothing is left without noise.

    >>> import optlab as ol
    >>> found = final_loss("sgd", ol.problems.quadratic(spectrum=[1.0], noise=1.0), schedule=0.5, steps=1)
    >>> found.attrs["formula"], found.attrs["critical_batch"]
    ('0.125 + 0.125/B', 1.0)
    """
    checked, steps = problems.get(problem), whole(steps, "steps", low=0)
    rates = learning_rates(schedule, steps)
    sizes = [whole(size, "batches") for size in batches]
    if isinstance(checked, Rows) and checked.sampling == "subset":
        sizes = [size for size in sizes if size <= checked.n]
    moments = _moments(rule, checked, steps, 1)
    model, least = moments.model, moments.model.least
    attributes: dict[str, Any] = {
        "rule": moments.rule.label(),
        "problem": checked.label(),
        "schedule": schedules.as_schedule(schedule).label(),
        "steps": steps,
    }
    if isinstance(model, Directions):
        noise, model.additive = model.additive, 0.0
        c0 = float(moments.final_excess(rates))
        model.additive = noise
        model.m, model.S = np.zeros_like(model.m), np.zeros_like(model.S)
        c1 = float(moments.final_excess(rates))
        excess = np.array([c0 + c1 / size for size in sizes])
        critical = c1 / c0 if c0 > 0 else math.inf
        attributes |= {"c0": c0, "c1": c1, "formula": f"{c0!r} + {c1!r}/B"}
    else:

        def at(inverse: float) -> float:
            """The excess at 1/B = inverse, which need not be one over a whole number."""
            if isinstance(model, Multiplied):
                model.factor = checked.noise**2 * inverse
            else:
                model.factor = batch_factor(checked, 1 / inverse if inverse else None)
                model.additive = checked.noise**2 * inverse
            value = float(moments.final_excess(rates))
            return value if math.isfinite(value) else math.inf

        excess, c0 = np.array([at(1 / size) for size in sizes]), at(0.0)
        critical = _critical(at, c0)
        attributes["c0"] = c0
    data = {"loss": ("batch", least + excess), "excess": ("batch", excess)}
    return labeled(xr.Dataset(data, {"batch": sizes}, attributes | {"critical_batch": critical}))


def _critical(at: Callable[[float], float], least: float) -> float:
    """B at which the excess is twice what it is without noise; the excess grows with 1/B."""
    if not least > 0:
        return math.inf

    def over(log_inverse: float) -> float:
        return min(math.log(max(at(math.exp(log_inverse)), 1e-300) / (2 * least)), 700.0)

    high = 0.0
    while over(high) < 0 and high < 30:
        high += 1
    low = high - 1
    while over(low) > 0 and low > -60:
        low -= 1
    if over(high) < 0 or over(low) > 0:
        return 0.0 if over(high) < 0 else math.inf
    return math.exp(-brentq(over, low, high, xtol=1e-12, rtol=1e-12))


__all__ = ["FAMILIES", "Budget", "Family", "FinalLoss", "best_peak", "final_loss"]
