"""Claim 22, the assignment's question: which optimizer trains best on CIFAR-10? Read from what ``optlab grid`` wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from optlab.claims.intervals import mean_of
from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.ensemble.netcdf import from_netcdf
from optlab.errors import InputError
from optlab.experiments.experiment import Run

RULES = ("momentum", "adam", "adamw")
CONFIDENCE = 0.95
PAIRS = (("momentum", "adam"), ("momentum", "adamw"), ("adamw", "adam"))


def measure(setting: Setting, run: Run) -> Findings:
    """Best validation accuracy of each rule's best setting; differences paired by seed, in points."""
    path = Path(setting.grid)
    if not path.is_file():
        return Findings({}, xr.Dataset(), (f"There is no {path}: run optlab grid (with the CIFAR-10 files) first.",))
    try:
        held = from_netcdf(path.read_bytes())
        accuracy, rules, seeds = held.final_validation_accuracy.values, held.final_rule.values.astype(str), held.final_seed.values
    except Exception as error:
        raise InputError(f"{path} is no result of optlab grid ({type(error).__name__}): give its runs.nc with --grid") from None
    missing = [rule for rule in RULES if rule not in rules]
    if missing:
        return Findings({}, xr.Dataset(), (f"{path} holds no runs of {missing[0]}.",))
    best = 100 * np.nan_to_num(np.nanmax(np.concatenate([np.zeros((len(accuracy), 1)), accuracy], 1), 1))
    by_rule = {rule: dict(zip(seeds[rules == rule].tolist(), best[rules == rule], strict=True)) for rule in RULES}
    numbers: dict[str, Measured] = {}
    for one, other in PAIRS:
        common = sorted(by_rule[one].keys() & by_rule[other].keys())
        numbers[f"{one}_{other}"] = mean_of(
            np.array([by_rule[one][s] - by_rule[other][s] for s in common]), 1 - (1 - CONFIDENCE) / len(PAIRS)
        )
    names = [f"{r}, {s}, {a:g}" for r, s, a in zip(rules, held.final_schedule.values.astype(str), held.final_alpha.values, strict=True)]
    data = xr.Dataset(
        {"accuracy": ("run", best, {"long_name": "validation accuracy at the best epoch", "units": "%"}), "rule": ("run", rules),
         "setting": ("run", names), "seed": ("run", seeds)}
    )  # fmt: skip
    leader = max(RULES, key=lambda rule: float(np.mean(list(by_rule[rule].values()))))
    means = ", ".join(f"{rule} {np.mean(list(by_rule[rule].values())):.1f} %" for rule in RULES)
    remark = f"{leader} leads on {held.attrs.get('data', 'these images')}: {means}, {len(set(seeds.tolist()))} seeds each."
    about = f"From {path}: {held.attrs.get('title', 'a grid')} (preset {held.attrs.get('preset', 'unknown')})."
    return Findings(numbers, data, (remark, about))


CLAIM = Claim(
    number=22,
    name="assignment",
    statement="ResNet-20 on CIFAR-10: SGD with momentum, Adam and AdamW, each at its best setting, can be told apart.",
    test="The finals of optlab grid: each rule's best learning rate and schedule on several seeds. Validation accuracy at the best epoch, "
    "differences paired by seed, Student's intervals that hold for all three pairs with 95 % (Bonferroni). Told apart: by more than a "
    "tenth of a point.",
    parts=tuple(Part(f"{a}_{b}", f"accuracy of {a} less that of {b}, points", (0.1, np.inf), f"{a} over {b}") for a, b in PAIRS),
    measure=measure,
)
