"""Claim 20: the numbers of the example y = w x + b after 100 steps."""

from __future__ import annotations

import numpy as np
import xarray as xr

from optlab.claims.intervals import normal_half_width
from optlab.claims.line_fit_cells import CONVENTIONS, RULES, SIZES, fitted
from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run
from optlab.experiments.line_fit import CLAIMS, TRUTH

NEAR = {"sgd": 0.005, "adam": 0.0005}  #: half a unit of the last digit that the article gives
WORDS = {"half": "half the squared error", "full": "the squared error"}


def measure(setting: Setting, run: Run) -> Findings:
    """Mean of w and b over runs, with its interval; the spread of single runs beside it."""
    found = fitted(setting, run)
    mean = np.array([[found[rule, convention, 0.0].theta_mean.values[-1] for convention in CONVENTIONS] for rule in RULES])
    deviation = np.sqrt([[found[rule, convention, 0.0].theta_variance.values[-1] for convention in CONVENTIONS] for rule in RULES])
    half = normal_half_width(mean.size) * deviation / np.sqrt(setting.pick(SIZES))
    numbers = {}
    for k, rule in enumerate(RULES):
        for j, convention in enumerate(CONVENTIONS):
            for c, name in enumerate("wb"):
                numbers[f"{rule}_{name}_{convention}"] = Measured.around(float(mean[k, j, c]), float(half[k, j, c]))
    data = xr.Dataset(
        {"mean": (("rule", "convention", "coordinate"), mean, {"long_name": "mean after the last step"}),
         "deviation": (("rule", "convention", "coordinate"), deviation, {"long_name": "standard deviation over runs"}),
         "said": (("rule", "coordinate"), [CLAIMS[rule] for rule in RULES], {"long_name": "what the article says"})},
        {"rule": list(RULES), "convention": list(CONVENTIONS), "coordinate": ["w", "b"]},
    )  # fmt: skip
    return Findings(numbers, data, (f"{setting.pick(SIZES):,} runs; w* = {TRUTH[0]:g}, b* = {TRUTH[1]:g}; no label noise, start at zero.",))


def _parts() -> tuple[Part, ...]:
    return tuple(
        Part(f"{rule}_{name}_{convention}", f"{rule}: mean {name} after 100 steps (said: {CLAIMS[rule][c]:g})",
             (CLAIMS[rule][c] - NEAR[rule], CLAIMS[rule][c] + NEAR[rule]), f"{rule}, {name}, loss {WORDS[convention]}")
        for rule in RULES for convention in CONVENTIONS for c, name in enumerate("wb")
    )  # fmt: skip


CLAIM = Claim(
    number=20,
    name="line_fit_numbers",
    statement="y = w x + b with w* = 2, b* = 1, α = 0.1, batches of 16, 100 steps: SGD ends near w = 1.95, b = 0.99, "
    "Adam near 1.999, 1.000.",
    test="Runs with fresh samples, x uniform on [−1, 1], from zero, under both conventions of the squared error. The mean of w and b "
    "over runs; near means that it rounds to the number given: within 0.005 for SGD, 0.0005 for Adam.",
    parts=_parts(),
    measure=measure,
    sizes=SIZES,
)
