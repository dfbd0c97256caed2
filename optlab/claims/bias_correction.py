"""Claim 11: bias correction matters at the start: without it m_1 = (1 - beta1) g_1, much smaller than g_1."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp
import xarray as xr

from optlab import problems, rules
from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run
from optlab.experiments.sweep import simulation_cell
from optlab.rules import g

ALPHA, STEPS = 1e-3, 100


def measure(setting: Setting, run: Run) -> Findings:
    """The first m from the rule's own equation; the steps with and without correction from two noiseless runs."""
    corrected, plain = rules.get("adam"), rules.get("adam").with_(bias_correction="off")
    problem = problems.quadratic(spectrum=[1.0], theta0=1.0)
    options: dict[str, Any] = {"schedule": ALPHA, "steps": STEPS, "record": list(range(STEPS + 1)), "keep": 1, "rng": setting.seed}
    found = run([simulation_cell(f"claim 11: {name}", rule, problem, **options) for name, rule in (("on", corrected), ("off", plain))])
    paths = np.stack([one.theta.values[0, :, 0] for one in found])
    steps = np.abs(np.diff(paths, axis=1))
    ratio = steps[1] / steps[0]
    numbers = {"moment": Measured.exact(first_moment()), "step": Measured.exact(float(ratio[0])), "later": Measured.exact(float(ratio[-1]))}
    data = xr.Dataset(
        {"step_size": (("bias_correction", "step"), steps, {"long_name": "size of the step"}),
         "ratio": ("step", ratio, {"long_name": "step without correction over step with it"})},
        {"bias_correction": ["on", "off"], "step": np.arange(1, STEPS + 1)},
    )  # fmt: skip
    largest = int(np.argmax(ratio)) + 1
    remark = f"Without correction the first step is {ratio[0]:.2f} times as long; at most {ratio.max():.2f} times, at step {largest}."
    return Findings(numbers, data, (remark,))


def first_moment() -> float:
    """m after one step over the first gradient, from Adam's equation for m with m = 0 before."""
    rule = rules.get("adam")
    (symbol, update), *_ = rule.equations
    values = {sp.Symbol(str(name)): value for name, value in rule.values.items()}
    by_name = {one: values.get(sp.Symbol(one.name), one) for one in update.free_symbols}
    return float(update.subs(symbol, 0).subs(by_name) / g)


CLAIM = Claim(
    number=11,
    name="bias_correction",
    statement="Bias correction matters at the start: without it m̂₁ = (1 − β₁) g₁ ≪ g₁, so the first updates would be far too small.",
    test=f"Adam with its default values on a parabola without noise, {STEPS} steps. The first m over the first gradient, from its "
    "equation: ≪ means at most 0.2. The first step without correction over that with it: too small means below 1/2; and the hundredth.",
    parts=(
        Part("moment", "m₁ / g₁ without correction", (0.0, 0.2), "of the moment m"),
        Part("step", "first step without correction over the step with it", (0.0, 0.5), "of the step, which √v₁ divides"),
        Part("later", "hundredth step without correction over the step with it", (0.0, 0.5), "of the hundredth step"),
    ),
    measure=measure,
    reference="Kingma & Ba, Adam, ICLR 2015, section 3: the step without correction is (1 − β₁)/√(1 − β₂) = 3.16 times that with it",
)
