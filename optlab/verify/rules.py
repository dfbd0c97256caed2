"""Checking a rule: what is generated from it against what it says, and simulation against theory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
import xarray as xr

from optlab import problems, rules
from optlab.analysis import analyze, is_linear
from optlab.codegen.module import load
from optlab.codegen.rules import constants_of, lowered, module_source
from optlab.ensemble.agreement import compare
from optlab.ensemble.bind import initial_states, step_table
from optlab.ensemble.philox import read_seed
from optlab.ensemble.predict import predict
from optlab.ensemble.simulate import simulate
from optlab.errors import CheckFailed, UnsupportedError
from optlab.expressions import Rule
from optlab.symbols import alpha, g, t, theta

DIGITS = 40
STEPS = 30


@dataclass(frozen=True)
class Check:
    """One check: ``passed`` is None where it only reports."""

    name: str
    passed: bool | None
    detail: str


def check_rule(rule: Rule | str, *, rng: Any = 0, raises: bool = True) -> list[Check]:
    """Check everything that is derived from a rule against its definition.

    - *generated code*: the compiled update against the equations evaluated by SymPy to 40 digits, over 30 steps of
      gradients from 1e-6 to 1e3 with zeros among them: relative difference at most 1e-12;
    - *float32*: the single-precision kernel stays in single precision and within 1e-4 of the double one;
    - *threads*: 1 and 2 threads give the same bits;
    - *theory*: for linear rules, simulated mean loss against the exact prediction on a quadratic (false-alarm
      probability 1e-9);
    - *descends*: without noise, 300 steps of alpha = 0.01 on f = theta^2 / 2 end below the start;
    - *at rest*: whether a zero gradient leaves theta where it is (reported only: weight decay moves it).

    Raises CheckFailed naming the first failed check, unless ``raises=False``.

    >>> [check.name for check in check_rule("sgd")]
    ['generated code', 'float32', 'threads', 'theory', 'descends', 'at rest']
    """
    rule = rules.get(rule)
    checks = list(_checks(rule, read_seed(rng)))
    failed = next((check for check in checks if check.passed is False), None)
    if failed and raises:
        raise CheckFailed(f"rule {rule.label()}: {failed.name}: {failed.detail}")
    return checks


def _checks(rule: Rule, seed: int) -> Iterator[Check]:
    gradients, rates = _drawn(seed)
    exact = evaluate(rule, gradients, rates)
    double = run_generated(rule, gradients, rates, "float64")
    scale = np.maximum.accumulate(np.maximum(np.abs(exact), 1e-300), axis=0)
    worst = float(np.max(np.abs(double - exact) / scale))
    step = int(np.argmax(np.max(np.abs(double - exact) / scale, axis=1)))
    yield Check("generated code", worst <= 1e-12, f"largest relative difference {worst:.1e} (step {step}); limit 1e-12")
    single = run_generated(rule, gradients, rates, "float32")
    with np.errstate(invalid="ignore", over="ignore"):
        drift = float(np.max(np.abs(single - double)[:, 0]) / np.max(np.abs(double[:, 0])))
    kept = single.dtype == np.float32
    yield Check(
        "float32",
        kept and drift <= 1e-4,
        f"theta differs by {drift:.1e} of its size; limit 1e-4" + ("" if kept else f"; promoted to {single.dtype}"),
    )
    problem, size = problems.quadratic(condition_number=10, dim=3, noise=0.5), _learning_rate(rule)
    options: dict[str, Any] = {"schedule": size, "steps": 60, "batch": 4, "trajectories": 2000, "rng": seed}
    one, two = (simulate(rule, problem, threads=n, **options) for n in (1, 2))
    yield Check(
        "threads",
        one.identical(two),
        "1 and 2 threads give the same bits" if one.identical(two) else f"bits differ in {_differing(one, two)}",
    )
    if is_linear(rule):
        result = compare(one, predict(rule, problem, **options))
        yield Check(
            "theory",
            result.holds,
            f"largest |z| {result.largest:.2f} over {result.points} steps at alpha = {size:.3g}; limit {result.threshold:.2f}",
        )
    else:
        yield Check("theory", None, "not linear: no exact prediction to hold it against")
    quiet = simulate(rule, problems.quadratic(spectrum=[1.0], theta0=1.0), schedule=0.01, steps=300, trajectories=1, record=[0, 300])
    start, end = quiet.loss_mean.values
    detail = f"the loss goes from {start:.3g} to {end:.3g} in 300 steps of alpha = 0.01 on theta^2 / 2"
    yield Check("descends", bool(end < start), detail if end < start else f"{detail}: a sign may be wrong")
    still = run_generated(rule, np.zeros(5), np.full(5, 0.1), "float64", start=1.0)
    moved = float(abs(still[-1, 0] - 1.0))
    yield Check(
        "at rest",
        None,
        "a zero gradient leaves theta where it is" if moved == 0 else f"five zero gradients move theta from 1 by {moved:.3g}",
    )


def _differing(one: xr.Dataset, two: xr.Dataset) -> str:
    return ", ".join(str(name) for name in one if not one[name].equals(two[name]))


def _drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    gradients = generator.choice([-1.0, 1.0], STEPS) * 10 ** generator.uniform(-6, 3, STEPS)
    gradients[generator.integers(1, STEPS, 4)] = 0.0
    return gradients, 10 ** generator.uniform(-3, -1, STEPS)


def _learning_rate(rule: Rule) -> float:
    """A quarter of the stability limit at curvature 1 for linear rules, 0.01 for others."""
    if not is_linear(rule):
        return 0.01
    try:
        limit = analyze(rule).stability_limit.xreplace(rule.values).subs({"lam": 1}).xreplace({sp.Symbol("lam", positive=True): 1})
        return float(limit) / 4
    except (UnsupportedError, TypeError):
        return 0.01


def evaluate(rule: Rule, gradients: np.ndarray, rates: np.ndarray, start: float = 1.0) -> np.ndarray:
    """theta and every coordinate state by step, straight from the equations in 40-digit arithmetic; shape (steps, states)."""
    values = rule.values
    now: dict[sp.Symbol, sp.Expr] = {theta: sp.Rational(start)} | {key: value.xreplace(values) for key, value in rule.initial.items()}
    out = []
    for step, (gradient, rate) in enumerate(zip(gradients, rates, strict=True)):
        given = values | {alpha: sp.Rational(float(rate)), g: sp.Rational(float(gradient)), t: sp.Integer(step + 1)}
        working: dict[sp.Symbol, sp.Expr] = dict(now)
        for left, right in rule.equations:
            working[left] = sp.N(right.xreplace(given | working), DIGITS)
        now = {key: working[key] for key in now}
        out.append([float(now[key]) for key in (theta, *rule.coordinate_states)])
    return np.array(out)


def run_generated(rule: Rule, gradients: np.ndarray, rates: np.ndarray, dtype: str, start: float = 1.0) -> np.ndarray:
    """The same through the generated, compiled update."""
    update = load(module_source(rule.unbound(), dtype), (), "rule").update
    real = np.dtype(dtype).type
    constants = [real(value) for value in constants_of(rule)]
    table = step_table(rule, rates).astype(dtype)
    state = [real(start), *(real(value) for value in initial_states(rule))]
    out, many = [], len(lowered(rule).states) > 1
    for gradient, scalars in zip(gradients, table, strict=True):
        new = update(real(gradient), *state, *constants, *scalars)
        # types are kept as returned, so that a promotion shows
        state = list(new) if many else [new]
        returned = update.nopython_signatures[-1].return_type
        wide = "float64" in str(returned) and dtype == "float32"
        out.append([np.float64(value) if wide else real(value) for value in state])
        state = [real(value) for value in state]
    return np.array(out)
