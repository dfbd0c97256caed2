"""Claim 19: layer and RMS normalization work where the statistics of a batch do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from optlab.claims.intervals import mean_of
from optlab.claims.norm_runs import NAMED, last, runs, seeds_of
from optlab.claims.record import Claim, Findings, Part, Setting
from optlab.data.textures import CLASSES
from optlab.experiments.experiment import Run

SIZES = {"least": 2, "quick": 8, "full": 40}
NORMS = ("batch", "layer", "rms")
BATCHES = {1: 1500, 4: 600}  #: images in a batch: steps
ALPHA = 0.03
OPTIONS: dict[str, Any] = {"training": 1000, "test": 500, "records": 1}
USUAL: dict[str, Any] = {"batch": 32, "steps": 400}
ALPHA_USUAL = 0.3
CONTRAST, BRIGHTNESS = (0.25, 0.0), (1.0, 1.0)  #: factor and offset of every input, in deviations of the training images' channel
NAMES = {"layer": "layer normalization", "rms": "RMS normalization"}


def measure(setting: Setting, run: Run) -> Findings:
    """Accuracies in small batches, and of images whose contrast or brightness is not that of training; differences paired by seed."""
    seeds = seeds_of(setting, setting.pick(SIZES))
    right = {
        f"batch {batch}": {norm: 100 * last(found, "test_accuracy") for norm, found in
                           runs(run, NORMS, seeds, ALPHA, batch=batch, steps=steps, **OPTIONS).items()}
        for batch, steps in BATCHES.items()
    }  # fmt: skip
    usual = runs(run, NORMS, seeds, ALPHA_USUAL, shifts=(CONTRAST, BRIGHTNESS), **OPTIONS, **USUAL)
    right["usual"] = {norm: 100 * last(found, "test_accuracy") for norm, found in usual.items()}
    for k, name in enumerate(("contrast", "brightness")):
        right[name] = {norm: 100 * np.array([float(one.shifted_accuracy[k]) for one in found]) for norm, found in usual.items()}
    numbers = {"fails": mean_of(right["batch 1"]["batch"] - 100 / len(CLASSES))}
    for norm in NAMES:
        numbers |= {f"{norm}_{batch}": mean_of(right[f"batch {batch}"][norm] - right[f"batch {batch}"]["batch"]) for batch in BATCHES}
        numbers[f"{norm}_contrast"] = mean_of(right["contrast"][norm] - right["contrast"]["batch"])
    lost = ", ".join(f"{norm} {usual_:.0f}, {darker:.0f}" for norm, usual_, darker in
                     ((n, right["usual"][n].mean(), right["brightness"][n].mean()) for n in NORMS))  # fmt: skip
    ahead = {norm: mean_of(right["usual"][norm] - right["usual"]["batch"]) for norm in NAMES}
    said = ", ".join(f"{NAMES[norm]} {one.value:+.1f} [{one.low:.1f}, {one.high:.1f}]" for norm, one in ahead.items())
    remarks = (
        f"In batches of {USUAL['batch']} and with nothing shifted, points over batch normalization: {said}.",
        f"Right of the test images as they are, and one deviation brighter, in %: {lost}. No norm takes out an offset of the input.",
    )
    table = [[(m.value, m.low, m.high) for m in (mean_of(right[place][norm]) for norm in NORMS)] for place in right]
    places = [*(f"batches of {batch}" for batch in BATCHES), "batches of 32", "contrast / 4", "brightness + 1"]
    data = xr.Dataset(
        {"right": (("place", "norm", "end"), table, {"long_name": "test images right, evaluation mode", "units": "%"})},
        {"place": places, "norm": list(NORMS), "end": ["value", "low", "high"]},
    )
    return Findings(numbers, data, remarks)


def _parts() -> tuple[Part, ...]:
    about = "points over batch normalization"
    parts = [Part("fails", "points over naming one class always", (-2.0, 2.0), "batch normalization, batches of one")]
    for norm, words in NAMES.items():
        parts += [Part(f"{norm}_{batch}", about, (0.0, np.inf), f"{words}, batches of {batch}") for batch in BATCHES]
        parts.append(
            Part(f"{norm}_contrast", about, (0.0, np.inf), f"{words}, trained in batches of 32, test images with a quarter of the contrast")
        )
    return tuple(parts)


CLAIM = Claim(
    number=19,
    name="small_batches",
    statement="Layer and RMS normalization work where the statistics of a batch do not.",
    test=f"For {NAMED}: test images right in evaluation mode after {BATCHES[1]} steps in batches of one and {BATCHES[4]} in batches of "
    f"four, SGD at {ALPHA:g}; and, trained in batches of 32 at {ALPHA_USUAL:g}, of test images with a quarter of "
    "the contrast, which running statistics do not know. Points over batch normalization, paired by seed; to work means more than 0, and "
    "batch normalization "
    "does not where it is within two points of naming one class always.",
    parts=_parts(),
    measure=measure,
    sizes=SIZES,
    networks=1.2,
    reference="Ba, Kiros & Hinton, Layer normalization, arXiv:1607.06450, 2016; Zhang & Sennrich, Root mean square layer normalization, "
    "NeurIPS 2019; Wu & He, Group normalization, ECCV 2018 (small batches)",
)
