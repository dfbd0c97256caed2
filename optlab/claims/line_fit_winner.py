"""Claim 21: Adam converges more precisely and quickly than SGD in the example y = w x + b."""

from __future__ import annotations

import numpy as np
import xarray as xr

from optlab.claims.intervals import normal_half_width
from optlab.claims.line_fit_cells import CONVENTIONS, LEVEL, NOISES, RULES, SIZES, fitted
from optlab.claims.line_fit_numbers import WORDS
from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run

ABOVE = (0.0, np.inf)


def measure(setting: Setting, run: Run) -> Findings:
    """Final loss and time to arrive, SGD over Adam, as logarithms: above zero where Adam is better."""
    return judged(fitted(setting, run), setting)


def judged(found: dict[tuple[str, str, float], xr.Dataset], setting: Setting) -> Findings:
    """The numbers from the ensembles; exchanging the two rules' ensembles changes every sign."""
    numbers = {}
    width = normal_half_width(2 * len(CONVENTIONS) * len(NOISES))
    for convention in CONVENTIONS:
        for noise in NOISES:
            sgd, adam = (found[rule, convention, noise] for rule in RULES)
            losses, errors = zip(*map(last_excess, (sgd, adam)), strict=True)
            half = width * float(np.hypot(*(e / v for e, v in zip(errors, losses, strict=True)))) / np.log(10)
            numbers[f"precise_{convention}_{noise:g}"] = Measured.around(float(np.log10(losses[0] / losses[1])), half)
        times = [passage(found[rule, convention, 0.0]) for rule in RULES]
        value = times[0][0] - times[1][0]
        numbers[f"quick_{convention}"] = Measured(value, times[0][1] - times[1][2], times[0][2] - times[1][1])
    data = xr.Dataset(
        {"loss_mean": (("rule", "convention", "noise", "step"),
                       [[[found[rule, c, n].loss_mean.values for n in NOISES] for c in CONVENTIONS] for rule in RULES],
                       {"long_name": "mean loss"})},
        {"rule": list(RULES), "convention": list(CONVENTIONS), "noise": list(NOISES), "step": found["sgd", "half", 0.0].step.values},
    )  # fmt: skip
    return Findings(numbers, data, (f"{setting.pick(SIZES):,} runs of each.",))


def last_excess(found: xr.Dataset) -> tuple[float, float]:
    """Mean loss above the minimum after the last step, and its standard error."""
    return float(found.loss_mean[-1]) - float(found.attrs["minimum"]), float(found.loss_standard_error[-1])


def passage(found: xr.Dataset) -> tuple[float, float, float]:
    """Median of the first step whose loss is at most LEVEL, between the quartiles over runs; never is infinite.

    The quartiles are the spread of single runs, far wider than the median's own interval.
    """
    middle, low, high = (float(found.passage_quantile.sel(level=LEVEL, quantile=q)) for q in (0.5, 0.25, 0.75))
    return middle, low, high


CLAIM = Claim(
    number=21,
    name="line_fit_winner",
    statement="Adam converges more precisely and quickly than SGD in this task.",
    test=f"The runs of claim 20. Precisely: log₁₀ of SGD's mean loss above the minimum after 100 steps over Adam's. Quickly: the median "
    f"first step at which the loss is at most {LEVEL:g}, SGD's less Adam's, between the quartiles of runs. Adam is better where these "
    "lie above zero.",
    parts=(
        *(Part(f"precise_{c}_{n:g}", "log₁₀ of final loss, SGD over Adam", ABOVE, f"{WORDS[c]}, label noise {n:g}")
          for c in CONVENTIONS for n in NOISES),
        *(Part(f"quick_{c}", f"steps to a loss of {LEVEL:g}, SGD less Adam", ABOVE, f"{WORDS[c]}, speed") for c in CONVENTIONS),
    ),
    measure=measure,
    sizes=SIZES,
)  # fmt: skip
