"""How much a bound gives away: the measured quantity over the bound, on drawn problems inside its assumptions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from scipy.special import erfinv

from optlab import bounds, problems, rules, schedules
from optlab.analysis.linear import linear_form
from optlab.bounds import Bound
from optlab.ensemble.predict import predict
from optlab.errors import CheckFailed, InputError, UnsupportedError
from optlab.symbols import symbol, time
from optlab.verify.averaging import averaged_sgd
from optlab.verify.instances import draw_functions, run_noiseless

TOLERANCE = 1e-12  #: rounding that a ratio of exact numbers may show beyond 1
STEPS = (1, 2, 3, 5, 10, 25, 50)


@dataclass(frozen=True)
class Slack:
    """Measured over bound on the drawn problems: 1 means that the bound is attained."""

    bound: str
    largest: float
    median: float
    draws: int
    worst: str  #: the problem with the largest ratio
    method: str  #: how the quantity was measured

    def __str__(self) -> str:
        return (
            f"{self.bound}: measured/bound at most {self.largest:.6g}, median {self.median:.3g} over {self.draws} problems ({self.worst})"
        )


Ratio = tuple[float, str]


def measure_slack(bound: Bound | str, *, draws: int = 105, rng: int | np.random.Generator = 0) -> Slack:
    """The largest and the median ratio of the measured quantity to the bound, over drawn problems inside the assumptions.

    Nothing is sampled but the problems: noiseless rules are iterated on quadratics and Huber functions, expected losses under
    noise are predicted exactly on quadratics, escape times follow from the exact second moment. So a ratio has no statistical
    error, and one beyond 1 + 1e-12 refutes the bound (or what computes it).

    Raises CheckFailed if a bound is violated, UnsupportedError if it has no explicit constant.

    >>> found = measure_slack("gradient_descent", draws=21)
    >>> round(found.largest, 9), found.worst.split(":")[0]
    (1.0, 'Huber beside mu')
    """
    record = bounds.get(bound) if isinstance(bound, str) else bound
    if not record.explicit:
        raise UnsupportedError(f"bound {record.name} has a constant that is not given, so it has no slack: see its assumptions")
    if draws < 1 or draws != int(draws):
        raise InputError(f"draws = {draws}: measuring slack needs a whole number of problems, at least 1")
    generator = np.random.default_rng(rng)
    if record.functions == "saddle":
        method, source = "exact second moment by step", _escapes(record, draws, generator)
    elif {s.name for s in record.free_symbols} & {"trace", "G", "whitened"}:
        method, source = "exact expected loss on quadratics", _expectations(record, draws, generator)
    else:
        method, source = "noiseless runs on quadratics and Huber functions", _runs(record, draws, generator)
    found = list(source)
    for ratio, problem in found:
        if not ratio <= 1 + TOLERANCE:
            raise CheckFailed(f"bound {record.name} is violated: measured/bound = {ratio:.15g} on {problem}")
    ratios = [ratio for ratio, _ in found]
    top = int(np.argmax(ratios))
    return Slack(record.name, ratios[top], float(np.median(ratios)), len(found), found[top][1], method)


def _within(low: float, high: float, rng: np.random.Generator) -> float:
    """A number in the range: its closed end now and then, else spread out."""
    if np.isinf(high):
        return low * (1 + 1e-9 + float(np.exp(rng.uniform(-4, 2))))
    return high * float(rng.choice([1.0, 0.5, rng.uniform(0.01, 1.0)]))


def _free(record: Bound, values: dict[str, float], rng: np.random.Generator) -> dict[str, float]:
    """Values for the parameters that the theorem leaves free, in order (a range may refer to those before it)."""
    chosen: dict[str, float] = {}
    for parameter, ends in record.ranges.items():
        known = {s: sp.Float((values | chosen)[s.name]) for end in ends for s in end.free_symbols}
        low, high = (float(end.xreplace(known)) for end in ends)
        number = _within(low, high, rng)
        closed = not any(condition.xreplace({**known, parameter: sp.Float(number)}) == sp.false for condition in record.conditions)
        chosen[parameter.name] = number if closed else number * 0.999
    return chosen


def _describe(kind: str, values: dict[str, Any]) -> str:
    return f"{kind}: " + ", ".join(f"{key} = {value:.6g}" for key, value in values.items())


def _runs(record: Bound, draws: int, rng: np.random.Generator) -> Iterator[Ratio]:
    for place, steps in enumerate(STEPS):
        count = len(range(place, draws, len(STEPS)))
        if not count:
            continue
        L = 4.0 ** rng.integers(-1, 2, size=count)
        kappa = np.exp(rng.uniform(np.log(1.5), np.log(1000), size=count))
        mu = L / kappa if record.functions in ("strongly_convex", "quadratic") else np.zeros(count)
        free = [_free(record, {"mu": m, "L": big}, rng) for m, big in zip(mu, L, strict=True)]
        values: dict[str, np.ndarray] = {"mu": mu, "L": L} | {key: np.array([f[key] for f in free]) for key in free[0]}
        fixed = {s.name: sp.lambdify([symbol("mu"), symbol("L")], e, "numpy") for s, e in record.schedule_values.items()}
        rates = fixed["alpha"](mu, L) * np.ones(count) if fixed else values["alpha"]
        functions = draw_functions(record.functions, mu, L, rng, 1 / (2 * rates * L * steps + 1))
        losses = run_noiseless(record, functions, values, rates, steps)
        distance2 = np.sum(functions.start**2, -1)
        for i in range(count):
            numbers = {key: float(array[i]) for key, array in values.items()}
            numbers |= {"gap": float(losses[0, i]), "distance2": float(distance2[i]), "T": steps}
            yield float(losses[-1, i]) / record.value(numbers), _describe(functions.kinds[i], numbers)


def _expectations(record: Bound, draws: int, rng: np.random.Generator) -> Iterator[Ratio]:
    for number in range(draws):
        steps = int(rng.choice(STEPS))
        L = float(4.0 ** rng.integers(-1, 2))
        mu = L / float(np.exp(rng.uniform(0, rng.choice([1.0, 6.0]))))
        kind = ("one curvature mu", "one curvature L", "both ends", "drawn")[number % 4]
        inner = (mu + (L - mu) * rng.uniform(size=2)).tolist()
        spectrum = {"one curvature mu": [mu], "one curvature L": [L], "both ends": [mu, L], "drawn": [mu, *inner, L]}[kind]
        noise = (
            float(rng.choice([0.0, 0.1, 1.0, 10.0])) if symbol("distance2") not in record.free_symbols else float(rng.choice([0.1, 1.0]))
        )
        start = (rng.normal(size=len(spectrum)) * rng.choice([0.1, 1.0, 10.0])).tolist()
        problem = problems.quadratic(spectrum=spectrum, noise=noise, theta0=start)
        values: dict[str, Any] = {
            "mu": mu, "L": L, "trace": len(spectrum) * noise**2, "whitened": sum(noise**2 / x for x in spectrum),
            "gap": sum(x * v * v / 2 for x, v in zip(spectrum, start, strict=True)), "distance2": sum(v * v for v in start), "T": steps,
        }  # fmt: skip
        values |= _free(record, values, rng)
        schedule = schedules.get(record.schedule, **{key: float(value) for key, value in record.schedule_at(values).items()})
        if record.quantity == "loss_at_average":
            measured = predict(averaged_sgd(), problem, schedule=schedule, steps=steps, record=[steps], coordinates=False).loss_mean.item()
        else:
            exact = predict(record.rule, problem, schedule=schedule, steps=steps, record=range(steps + 1), coordinates=True)
            moments = exact.theta_mean.values**2 + exact.theta_variance.values
            values["G"] = float(np.sqrt(np.max((moments[:steps] @ np.square(spectrum)) + values["trace"])))
            measured = _average(record, exact.loss_mean.values, steps)
        used = {key: values[key] for key in values if key in {s.name for s in record.free_symbols}}
        yield measured / record.value(values), _describe(kind, used | {"noise": noise})


def _average(record: Bound, losses: np.ndarray, steps: int) -> float:
    """The last loss, or the weighted average that the bound is of."""
    if record.average is None:
        return float(losses[-1])
    weight, first, last = record.average
    places = np.arange(int(first), int(last.subs(bounds.T, steps)) + 1)
    weights = sp.lambdify(time, weight, "numpy")(places) * np.ones(len(places))
    return float(np.average(losses[places], weights=weights))


def _escapes(record: Bound, draws: int, rng: np.random.Generator) -> Iterator[Ratio]:
    form = linear_form(rules.get(record.rule))
    for _ in range(draws):
        values = {
            "alpha": float(np.exp(rng.uniform(-5, 0))), "gamma": float(np.exp(rng.uniform(-3, 1))), "s2": float(np.exp(rng.uniform(-5, 2))),
            "r": float(np.exp(rng.uniform(-2, 4))), "delta": float(rng.uniform(0.01, 0.99)),
        }  # fmt: skip
        at = {symbol("alpha"): values["alpha"]}
        factor = float(form.transition(-symbol("gamma"))[0, 0].subs(at | {symbol("gamma"): values["gamma"]})) ** 2
        added = float(form.b[0].subs(at)) ** 2 * values["s2"]
        limit = values["r"] ** 2
        if symbol("delta") in record.free_symbols:  # P(|theta| < r) = erf(r/sqrt(2 moment)) > delta
            limit /= 2 * float(erfinv(values["delta"])) ** 2
        moment, inside = added, 0
        while moment < limit:  # ends: the moment grows by a factor > 1
            moment, inside = factor * moment + added, inside + 1
        yield inside / record.value(values), _describe("saddle", {str(s): values[str(s)] for s in record.free_symbols})
