"""Claim 15: a transformer takes warmup and cosine annealing; without warmup, training is unstable."""

from __future__ import annotations

import numpy as np
import xarray as xr

from optlab.claims.intervals import share
from optlab.claims.record import CONFIDENCE, Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run
from optlab.experiments.questions.attention import EXPERIMENT

#: Where Adam learns the task at all within the steps and where it no longer does, by four runs a peak without warmup.
PEAKS = (0.01, 0.03, 0.1)
SIZES = {"quick": 32, "full": 200}
PLACES = ("post", "pre")
HARM = 0.25  #: of the runs: what "unstable without warmup" means at least


def more_fail(without: int, with_: int, runs: int) -> Measured:
    """How much larger the probability of failing is without warmup, from the failures of ``runs`` runs each.

    Each probability has an exact interval of half the error (Bonferroni), so the difference's covers at least CONFIDENCE whatever the two
    have to do with each other: they share starts and batches.
    """
    a, b = (share(count, runs, 1 - (1 - CONFIDENCE) / 2) for count in (without, with_))
    return Measured(a.value - b.value, a.low - b.high, a.high - b.low)


def measure(setting: Setting, run: Run) -> Findings:
    """The experiment ``attention``: runs that do not learn, without warmup and with it."""
    runs = setting.pick(SIZES)
    found = EXPERIMENT.measure(EXPERIMENT.read(seed=setting.seed, runs=runs, peaks=list(PEAKS), places=list(PLACES)), run)
    failed = (found.outcome != "learned").sum("run")
    numbers = {
        key(place, peak): more_fail(int(failed.sel(place=place, peak=peak)[0]), int(failed.sel(place=place, peak=peak)[1]), runs)
        for place in PLACES for peak in PEAKS
    }  # fmt: skip
    table = [[share(int(n), runs) for n in row] for row in failed.values.reshape(-1, len(PEAKS))]
    ends = np.array([[(one.value, one.low, one.high) for one in row] for row in table]).reshape(len(PLACES), 2, len(PEAKS), 3)
    data = xr.Dataset(
        {"failed": (("place", "warmup", "peak", "end"), ends, {"long_name": "share of the runs that do not learn", "units": "1"})},
        {"place": list(PLACES), "warmup": found.warmup.values, "peak": list(PEAKS), "end": ["value", "low", "high"]},
    )
    steps = found.attrs["runs"]
    lost = int((found.outcome == "diverged").sum())
    remark = f"{steps} runs a setting; of all {found.outcome.size}, {lost} diverged, {int(failed.sum()) - lost} stayed near chance."
    return Findings(numbers, data, (remark,))


def key(place: str, peak: float) -> str:
    """The name of a part."""
    return f"{place}_{peak:g}"


CLAIM = Claim(
    number=15,
    name="warmup",
    statement="A transformer is trained with warmup and cosine annealing; without warmup, training is unstable.",
    test="A small encoder (two blocks, norms behind or before the residual sums) learns to say sequences backwards in 300 steps of Adam, "
    "cosine annealing to 0, after 50 steps of warmup or none; the same starts and batches. A run fails whose validation loss does not end "
    "below half the loss of chance. Unstable without warmup: the probability of failing is larger by at least 1/4 than with it (exact "
    "intervals).",
    parts=tuple(
        Part(key(place, peak), "probability of failing without warmup, less that with it", (HARM, np.inf), f"{place}-norm, peak {peak:g}")
        for place in PLACES for peak in PEAKS
    ),
    measure=measure,
    sizes=SIZES,
    networks=6.0,
    reference="Vaswani et al., NeurIPS 2017, section 5.3; Xiong et al., On layer normalization in the transformer architecture, ICML 2020",
)  # fmt: skip
