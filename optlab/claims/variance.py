"""Claim 2: the variance of the mini-batch gradient is sigma^2 / |B|."""

from __future__ import annotations

import numpy as np
import xarray as xr

from optlab.claims.intervals import variance_ratio
from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.claims.tables import FEATURES, ROWS, SAMPLINGS, drawn_table, row_gradients, single_steps
from optlab.experiments.experiment import Run

BATCHES = (1, 4, 16, 64, 128)
SIZES = {"quick": 200_000, "full": 2_000_000}
TOLERANCE = 0.05
EXPECTED = (1 - TOLERANCE, 1 + TOLERANCE)


def measure(setting: Setting, run: Run) -> Findings:
    """The variance over runs of one step of SGD with learning rate 1, times |B| over sigma^2."""
    features, targets = drawn_table(setting.seed)
    gradients, runs = row_gradients(features, targets), setting.pick(SIZES)
    centered = gradients - gradients.mean(0)
    sigma2 = float((centered**2).sum(1).mean())  # divisor n, trace over the coordinates
    found = single_steps(run, BATCHES, runs, setting.seed)
    variance = np.array([float(one.theta_variance.values[-1].sum()) for one in found]).reshape(len(SAMPLINGS), len(BATCHES))
    # the trace of one row has the largest kurtosis; a mean of rows comes closer to a normal law's
    kurtosis = float((((centered**2).sum(1)) ** 2).mean() / sigma2**2) + 1.0
    ratios = [[variance_ratio(variance[k, j], max(kurtosis, 3.0), runs, sigma2 / batch, len(BATCHES)) for j, batch in enumerate(BATCHES)]
              for k in range(len(SAMPLINGS))]  # fmt: skip
    numbers = {
        "replacement": _furthest(ratios[0]),
        "subset_small": ratios[1][BATCHES.index(4)],
        "subset_large": ratios[1][BATCHES.index(128)],
    }
    data = xr.Dataset(
        {"ratio": (("sampling", "batch", "end"), [[[r.value, r.low, r.high] for r in row] for row in ratios],
                   {"long_name": "variance of the mini-batch gradient times |B| over sigma^2"}),
         "subset_law": ("batch", [(ROWS - b) / (ROWS - 1) for b in BATCHES], {"long_name": "(n - B)/(n - 1)"})},
        {"sampling": list(SAMPLINGS), "batch": list(BATCHES), "end": ["value", "low", "high"]},
    )  # fmt: skip
    return Findings(numbers, data, (f"{runs:,} mini-batches of each kind, {ROWS} rows, {FEATURES} coordinates.",))


def _furthest(found: list[Measured]) -> Measured:
    return max(found, key=lambda one: max(abs(one.low - 1), abs(one.high - 1)))


CLAIM = Claim(
    number=2,
    name="variance",
    statement="The variance of the mini-batch gradient is σ²/|B|.",
    test=f"Least squares on {ROWS} rows; σ² is the trace of the rows' covariance (divisor n). The variance of the mini-batch gradient "
    f"times |B| over σ², for |B| = {', '.join(map(str, BATCHES))}. The law holds where that is 1 within {TOLERANCE:.0%}.",
    parts=(
        Part("replacement", "variance · |B| / σ², the batch furthest from 1", EXPECTED, "rows drawn with replacement"),
        Part("subset_small", "variance · |B| / σ², |B| = 4", EXPECTED, "a fresh subset, much smaller than the table"),
        Part("subset_large", "variance · |B| / σ², |B| = 128", EXPECTED, "a fresh subset of half the table"),
    ),
    measure=measure,
    sizes=SIZES,
    reference="Cochran, Sampling techniques, 1977, theorem 2.2: without replacement the factor (n − |B|)/(n − 1)",
)  # fmt: skip
