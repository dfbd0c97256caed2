"""Claim 17: batch normalization allows larger learning rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from optlab.claims.norm_runs import NAMED, NETWORK, seeds_of
from optlab.claims.record import CONFIDENCE, Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run
from optlab.experiments.norm_training import cell
from optlab.experiments.rate_limits import RECORDS, SHARE, Limits, interval, limits, ratio
from optlab.experiments.sweep import Cell

SIZES = {"least": 2, "quick": 10, "full": 40}
RATES = {"sgd": [0.3, 1.0, 3.0, 10.0], "momentum": [0.03, 0.1, 0.3, 1.0, 3.0]}
#: key: (model, rule, what it is)
SETUPS = {
    "sgd": (NETWORK, "sgd", "SGD, three hidden layers"),
    "momentum": (NETWORK, "momentum", "momentum 0.9, three hidden layers"),
    "shallow": ("mlp(hidden=[32])", "sgd", "SGD, one hidden layer"),
}
REFINE = 2
OPTIONS: dict[str, Any] = {"batch": 32, "steps": 100, "training": 500, "test": 10, "records": RECORDS}


def make(model: str, norm: str, rule: str) -> Any:
    """The cell of one norm at a rate, with a seed."""

    def one(rate: float, seed: int) -> Cell:
        return cell(model, norm, rate, rule=rule, seed=seed, **OPTIONS)

    return one


def measure(setting: Setting, run: Run) -> Findings:
    """The largest stable rate with batch normalization over that without, paired by seed, in every setup."""
    seeds, numbers, rows = seeds_of(setting, setting.pick(SIZES)), {}, []
    for key, (model, rule, _) in SETUPS.items():
        found = limits(run, [make(model, norm, rule) for norm in ("none", "batch")], RATES[rule], seeds, REFINE)
        numbers[key] = compared(*found)
        rows.append([interval(one.below, one.above, CONFIDENCE) for one in found])
    data = xr.Dataset(
        {
            "limit": (("setup", "norm", "end"), rows, {"long_name": "largest stable learning rate, geometric mean over seeds"}),
            "gain": (("setup", "end"), [(one.value, one.low, one.high) for one in numbers.values()], {"long_name": "with over without"}),
        },
        {"setup": [text for *_, text in SETUPS.values()], "norm": ["none", "batch"], "end": ["value", "low", "high"]},
    )
    said = "; ".join(f"{text}: {rows[k][0][0]:.2g} without, {rows[k][1][0]:.2g} with" for k, (*_, text) in enumerate(SETUPS.values()))
    return Findings(numbers, data, (f"Largest stable learning rates (geometric means): {said}.",))


def compared(without: Limits, with_it: Limits) -> Measured:
    """The ratio of the limits with its interval."""
    value, low, high = ratio(with_it, without, CONFIDENCE)
    return Measured(value, low, high)


CLAIM = Claim(
    number=17,
    name="larger_rates",
    statement="Batch normalization allows larger learning rates.",
    test=f"For {NAMED} and for one with one hidden layer, batches of 32: the largest learning rate at which 100 steps neither diverge nor "
    f"stay above {SHARE:.0%} of the loss of a guess, on a grid of half decades and by two bisections; several seeds. The limit with batch "
    "normalization over that without, paired by seed; both ends of what the grid leaves open are in the interval.",
    parts=tuple(Part(key, "largest stable rate with batch normalization over that without", (1.0, np.inf), text)
                for key, (*_, text) in SETUPS.items()),
    measure=measure,
    sizes=SIZES,
    networks=0.1,
    reference="Ioffe & Szegedy, ICML 2015; Santurkar, Tsipras, Ilyas & Madry, NeurIPS 2018; Bjorck, Gomes, Selman & Weinberger, "
    "NeurIPS 2018",
)  # fmt: skip
