"""The loss on the straight line between two solutions, before and after their hidden units are matched."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from optlab.data.images import ImageData
from optlab.experiments.grid_cells import Source
from optlab.experiments.hidden_units import distance, matched
from optlab.experiments.image_runs import Asked, images_of, setup
from optlab.experiments.kinds import spec_head
from optlab.experiments.sweep import Cell
from optlab.training.loop import evaluate

KINDS = ("as found", "matched")


def line_cell(name: str, images: ImageData, source: Source, ends: tuple[Cell, Cell], runs: tuple[xr.Dataset, xr.Dataset], asked: Asked,
              points: int) -> Cell:  # fmt: skip
    """The cell of the line between two runs of one model; ``asked`` is that of the first."""
    one, other = (run.parameters.values for run in runs)
    identity = spec_head("line") | {"of": [end.spec for end in ends], "points": points}
    here, there = (partial(between, where, asked, one, other, points) for where in (images, source))
    return Cell(name, identity, here, elsewhere=there, single=True)


def between(images: ImageData | Source, asked: Asked, one: np.ndarray, other: np.ndarray, points: int) -> xr.Dataset:
    """Training loss at ``points`` points of the line (1 - s) one + s other, accuracy half way, and how far apart its ends are."""
    ready = setup(images, asked)
    learner, task = ready.learner, ready.task
    ends = {"as found": other, "matched": matched(learner.trainer.model, one, other)}
    place = np.linspace(0.0, 1.0, points)
    state = learner.state()
    losses, middle, apart = [], [], []

    def stand(s: float, end: np.ndarray) -> None:
        state["parameters"] = ((1 - s) * one.astype(np.float64) + s * end).astype(one.dtype)
        learner.restore(state)

    try:
        for end in ends.values():
            row = []
            for s in place:
                stand(float(s), end)
                row.append(evaluate(learner, task, images_of(task))[0])
            losses.append(row)
            stand(0.5, end)
            middle.append(evaluate(learner, task, task.validation)[1])
            apart.append(distance(one, end))
    finally:
        ready.close()
    values: dict[str, Any] = {
        "loss": (("kind", "s"), losses), "middle_accuracy": ("kind", middle), "distance": ("kind", apart),
        "barrier": ("kind", [barrier(place, np.array(row)) for row in losses]),
    }  # fmt: skip
    return xr.Dataset(values, {"kind": list(KINDS), "s": place})


def barrier(place: np.ndarray, loss: np.ndarray) -> float:
    """The most by which the loss on the line lies above the straight line between the losses of its ends.

    Frankle, Dziugaite, Roy & Carbin, ICML 2020, section 2 (against the mean of the ends); Entezari et al., ICLR 2022, definition 1.

    >>> barrier(np.array([0.0, 0.5, 1.0]), np.array([1.0, 3.0, 2.0]))
    1.5
    """
    return float(np.max(loss - ((1 - place) * loss[0] + place * loss[-1])))


__all__ = ["KINDS", "barrier", "between", "line_cell"]
