"""Claim 10: RMSProp (and Adam, which has its scale) helps with sparse gradients."""

from __future__ import annotations

import numpy as np
import xarray as xr

from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run
from optlab.experiments.questions.sparse import EXPERIMENT

SIZES = {"quick": 256, "full": 2048}
RULES = ("rmsprop", "adam", "adagrad")


def measure(setting: Setting, run: Run) -> Findings:
    """The sparse experiment: excess loss of SGD over that of each adaptive rule, every rule at its best learning rate."""
    asked = EXPERIMENT.read(seed=setting.seed, trajectories=setting.pick(SIZES))
    result = EXPERIMENT.measure(asked, run)
    rarest = float(min(result.share.values))
    at = result.sel(share=rarest)
    if "model" in at.dims:
        at = at.isel(model=0)
    numbers = {
        f"{rule}_{kind}": Measured(*(float(at[name].sel(rule=rule, kind=kind)) for name in ("gain", "gain_low", "gain_high")))
        for rule in RULES for kind in ("rare", "scaled")
    }  # fmt: skip
    found = [[numbers[f"{rule}_{kind}"] for kind in ("rare", "scaled")] for rule in RULES]
    gains = [[(one.value, one.low, one.high) for one in row] for row in found]
    data = xr.Dataset(
        {"gain": (("rule", "kind", "end"), gains, {"long_name": "excess loss of SGD over that of the rule"})},
        {"rule": list(RULES), "kind": ["rare", "scaled"], "end": ["value", "low", "high"]},
    )
    return Findings(numbers, data, (f"Rare features are non-zero in {rarest:.0%} of the rows; every rule at the best rate of a search.",))


CLAIM = Claim(
    number=10,
    name="rare_features",
    statement="RMSProp helps with sparse gradients.",
    test="Linear regression with eight common features and eight that are rarely non-zero; beside it, dense features of the same "
    "curvatures. The excess loss of SGD over that of the adaptive rule, each at the best learning rate of a search; to help means "
    "more than 1.",
    parts=tuple(
        Part(f"{rule}_{kind}", "excess loss of SGD over the rule's", (1.0, np.inf),
             f"{rule}, {'rare features' if kind == 'rare' else 'dense features of the same curvatures'}")
        for rule in RULES for kind in ("rare", "scaled")
    ),
    measure=measure,
    sizes=SIZES,
    reference="Duchi, Hazan & Singer, Adaptive subgradient methods, JMLR 12, 2011",
)  # fmt: skip
