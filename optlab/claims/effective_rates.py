"""Claim 9: RMSProp gives coordinates with larger gradients smaller effective learning rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from optlab import problems, rules
from optlab.claims.record import CONFIDENCE, Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run
from optlab.experiments.sweep import simulation_cell

ALPHA, STEPS = 1e-5, 60
SIZES = {"quick": 12, "full": 48}  #: coordinates in each range
RANGES = {"usual": (1e-2, 1e2), "tiny": (1e-7, 1e-5)}  #: of the gradients; the root of eps = 1e-8 is 1e-4
EXPECTED = (-np.inf, -0.5)


def measure(setting: Setting, run: Run) -> Findings:
    """Effective rate, step over gradient, against the size of the gradient: the slope of one's logarithm over the other's."""
    count = setting.pick(SIZES)
    gradients = {name: np.geomspace(*ends, count) for name, ends in RANGES.items()}
    cells = []
    for name, sizes in gradients.items():
        problem = problems.quadratic(spectrum=sizes.tolist(), theta0=1.0)  # at theta = 1 a coordinate's gradient is its curvature
        options: dict[str, Any] = {"schedule": ALPHA, "steps": STEPS, "record": [0, STEPS], "keep": 1, "rng": setting.seed}
        cells.append(simulation_cell(f"claim 9: {name} gradients", rules.get("rmsprop"), problem, **options))
    numbers, rates = {}, []
    for (name, sizes), found in zip(gradients.items(), run(cells), strict=True):
        moved = found.theta.values[0, 0] - found.theta.values[0, -1]
        rate = moved / STEPS / sizes
        rates.append(rate)
        fit = stats.linregress(np.log(sizes), np.log(rate))
        numbers[name] = Measured.around(float(fit.slope), float(stats.t.isf((1 - CONFIDENCE) / 2, count - 2) * fit.stderr))
    data = xr.Dataset(
        {"gradient": (("range", "coordinate"), np.stack(list(gradients.values())), {"long_name": "gradient"}),
         "effective_rate": (("range", "coordinate"), np.stack(rates), {"long_name": "mean step over gradient"})},
        {"range": list(gradients), "coordinate": np.arange(count)},
    )  # fmt: skip
    return Findings(numbers, data, (f"{STEPS} steps at a learning rate of {ALPHA:g}, {count} coordinates in each range, no noise.",))


CLAIM = Claim(
    number=9,
    name="effective_rates",
    statement="RMSProp: larger gradients get smaller effective learning rates.",
    test="A quadratic whose coordinates have gradients over four decades, RMSProp without noise. Effective rate: mean step over gradient. "
    "The slope of its logarithm over the gradient's (−1: as one over the gradient), by least squares; the claim: at most −0.5.",
    parts=(
        Part("usual", "slope of log effective rate over log gradient", EXPECTED, "gradients well above the root of eps"),
        Part("tiny", "slope of log effective rate over log gradient", EXPECTED, "gradients below the root of eps"),
    ),
    measure=measure,
    sizes=SIZES,
    reference="Tieleman & Hinton, Lecture 6.5: RMSProp, 2012",
)
