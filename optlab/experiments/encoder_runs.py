"""Runs of a small transformer encoder under one setting: the cell of the experiment ``attention``, its numbers a run each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from optlab.ensemble.bind import learning_rates
from optlab.experiments.sweep import Cell, engine_fingerprint
from optlab.expressions import Rule
from optlab.nn.transformer import Encoder, EncoderTrainer, Reversal
from optlab.threads import usable_threads

PROBES = 8  #: batches that the noise of the gradient is measured with
RUN_SEEDS = 1 << 20  #: run r of seed s draws as seed s * RUN_SEEDS + r

#: What a run leaves: a number each, and what it is.
MEASURES = {
    "last_loss": "validation loss after the last step",
    "reached": "first step whose batch has a loss below the threshold; nan: none",
    "broken": "first step whose loss is not finite; nan: none",
    "worst": "largest loss of a batch within the first steps",
    "step_size": "|change of the parameters| / |parameters|, mean over the first steps",
    "moved": "|parameters - start| / |start| after the first steps",
    "noise_start": "variance of a batch's gradient over the squared norm of the mean gradient, at the start",
    "noise_early": "the same after the first steps",
}


def encoder_cell(name: str, rule: Rule, asked: dict[str, Any]) -> Cell:
    """A cell of runs; ``asked`` holds all that their numbers depend on beside the rule (see :func:`runs`)."""
    about = {"kind": "encoder", "engine": encoder_fingerprint(), "rule": rule.label(), "rule_fingerprint": rule.fingerprint}
    return Cell(name, about | asked, partial(runs, rule, asked), single=True)


@cache
def encoder_fingerprint() -> str:
    """A hash of the source that the runs depend on: a changed engine computes anew."""
    root = Path(__file__).parents[1]
    files = [path for room in ("nn", "layers", "norms", "rules", "schedules") for path in sorted((root / room).rglob("*.py"))]
    return engine_fingerprint(*(str(path.relative_to(root)) for path in files if "cuda" not in path.parts), "experiments/encoder_runs.py")


def runs(rule: Rule, asked: dict[str, Any]) -> xr.Dataset:
    """``asked["runs"]`` runs: keys ``model``, ``schedule``, ``steps``, ``batch``, ``first`` (how many steps are the first ones),
    ``threshold`` and ``seed``. Run r has the same start and the same batches under every setting."""
    EncoderTrainer(Encoder(**asked["model"]), rule, batch=asked["batch"])  # compiled once, before threads share it
    rates = learning_rates(asked["schedule"], asked["steps"])
    with ThreadPoolExecutor(usable_threads()) as pool:
        found = list(pool.map(partial(one_run, rule, asked, rates), range(asked["runs"])))
    return xr.Dataset({name: ("run", [one[name] for one in found], {"long_name": text}) for name, text in MEASURES.items()})


def one_run(rule: Rule, asked: dict[str, Any], rates: np.ndarray, number: int) -> dict[str, float]:
    """The measures of run ``number``. A run ends at the first loss that is not finite."""
    seed, batch, steps, first = asked["seed"] * RUN_SEEDS + number, asked["batch"], asked["steps"], asked["first"]
    model = Encoder(**asked["model"])
    trainer, task = EncoderTrainer(model, rule, batch=batch, rng=seed), Reversal(model.vocabulary, model.tokens)
    tokens, labels = (np.empty(batch * model.tokens, np.int64) for _ in range(2))
    start, theta = trainer.parameters.copy(), trainer.parameters.copy()
    out = dict.fromkeys(MEASURES, np.nan)
    out["noise_start"] = noise(trainer, task, range(steps + 1, steps + 1 + PROBES), seed)
    losses, sizes = [], []
    for step in range(1, steps + 1):
        task.fill(tokens, labels, step=step, seed=seed)
        losses.append(trainer.step(tokens, labels, rates[step - 1]).loss)
        if not np.isfinite(losses[-1]):
            out["broken"] = step
            break
        if step <= first:
            sizes.append(norm(trainer.parameters - theta) / norm(theta))
            theta[:] = trainer.parameters
        if step == first:
            out["moved"] = norm(theta - start) / norm(start)
            out["noise_early"] = noise(trainer, task, range(steps + 1, steps + 1 + PROBES), seed)
    below = np.flatnonzero(np.array(losses) < asked["threshold"])
    out["reached"] = float(below[0] + 1) if len(below) else np.nan
    out["worst"], out["step_size"] = float(max(losses[:first])), float(np.mean(sizes)) if sizes else np.nan
    if np.isnan(out["broken"]):
        task.fill(tokens, labels, step=0, seed=seed)
        out["last_loss"] = trainer.evaluate(tokens, labels).loss
    return out


def norm(x: np.ndarray) -> float:
    """The Euclidean norm, summed in float64."""
    return float(np.sqrt(np.sum(x.astype(np.float64) ** 2)))


def noise(trainer: EncoderTrainer, task: Reversal, batches: range, seed: int) -> float:
    """tr Cov(g) / |E g|^2 of a batch's gradient g at the parameters, from these batches: both without bias; infinite if no mean is seen."""
    rows = []
    for step in batches:
        trainer.gradients(*task.batch(trainer.batch, step=step, seed=seed))
        rows.append(trainer.gradient.astype(np.float64))
    table = np.array(rows)
    variance = float(table.var(0, ddof=1).sum())
    mean = float((table.mean(0) ** 2).sum()) - variance / len(rows)
    return variance / mean if mean > 0 else np.inf
