"""Claim 7: the local minima of a deep network are almost equally good."""

from __future__ import annotations

from typing import Any

import xarray as xr

from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run
from optlab.experiments.minima_line import KINDS
from optlab.experiments.questions.minima import CONFIDENCE, EXPERIMENT, spread

SIZES = {"quick": 12, "full": 60}  #: seeds
WIDTHS = (8, 32, 128)
POINT = 1.0  #: the most deviation of the accuracy over seeds, in points
SHARE = 0.01  #: the most deviation of the training loss over seeds, over its mean drop


def measure(setting: Setting, run: Run) -> Findings:
    """The minima experiment: what final accuracy and training loss differ by over seeds."""
    asked = EXPERIMENT.read(seed=setting.seed, seeds=setting.pick(SIZES), widths=list(WIDTHS))
    return judged(EXPERIMENT.measure(asked, run))


def judged(result: xr.Dataset) -> Findings:
    """The numbers of a result of the experiment."""
    numbers: dict[str, Measured] = {}
    barriers = []
    for width in WIDTHS:
        at = result.sel(width=width)
        low, found, high = spread(100 * at.validation_accuracy.values, CONFIDENCE)
        numbers[f"accuracy_{width}"] = Measured(found, low, high)
        drop = float((at.start_loss - at.train_loss).mean())
        low, found, high = spread(at.train_loss.values / drop, CONFIDENCE)
        numbers[f"loss_{width}"] = Measured(found, low, high)
        raw, same = (float(at.barrier_mean.sel(kind=kind)) for kind in KINDS)
        barriers.append(f"{raw:.2f} ({same:.2f}) at width {width}")
    names: Any = ("train_loss", "validation_accuracy")
    data = xr.Dataset({name: result[name].astype("float32") for name in names} | {"barrier": result.barrier.astype("float32")})
    remark = f"Yet a barrier lies between them: the loss on the line rises by {', '.join(barriers)}; in brackets with hidden units matched."
    return Findings(numbers, data, (remark,))


CLAIM = Claim(
    number=7,
    name="equal_minima",
    statement="The local minima of a deep network are almost equally good.",
    test=f"Perceptrons with two hidden layers of {', '.join(map(str, WIDTHS[:-1]))} or {WIDTHS[-1]} units on 2,000 textures, every seed "
    "trained until the training loss is 0.01 or 30 epochs are over; 12,000 images for validation. Almost equally good: over seeds the "
    f"final validation accuracy has a standard deviation of at most {POINT:g} point, and the final training loss one of at most "
    f"{SHARE:.0%} of its drop; {CONFIDENCE:.0%} intervals by chi-square (as if normal over seeds).",
    parts=tuple(
        part for width in WIDTHS for part in (
            Part(f"accuracy_{width}", "deviation of the final accuracy over seeds, points", (0.0, POINT), f"width {width}: accuracy"),
            Part(f"loss_{width}", "deviation of the final training loss over its drop", (0.0, SHARE), f"width {width}: training loss"),
        )
    ),
    measure=measure,
    sizes=SIZES,
    networks=1.0,
    reference="Choromanska et al., The loss surfaces of multilayer networks, AISTATS 2015; Entezari et al., ICLR 2022",
)  # fmt: skip
