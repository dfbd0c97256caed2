"""The kinds of cells that a store can hold, and what computes each of them today.

A cell's spec names its ``kind`` and the fingerprint of its ``engine``: the source that its numbers depend on. A changed engine computes
anew, and cells of another one are read by nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from optlab.experiments.sweep import engine_fingerprint


def _training() -> str:
    from optlab.experiments.grid import training_fingerprint

    return training_fingerprint()


def _images() -> str:
    from optlab.experiments.image_runs import fingerprint

    return fingerprint()


def _line() -> str:
    return engine_fingerprint("experiments/hidden_units.py", "experiments/minima_line.py")


def _edge() -> str:
    return engine_fingerprint("experiments/sharpness.py") + _training()


def _norm_training() -> str:
    return engine_fingerprint("experiments/norm_training.py", "experiments/activations.py") + _training()


def _encoder() -> str:
    from optlab.experiments.encoder_runs import encoder_fingerprint

    return encoder_fingerprint()


def _advise() -> str:
    from optlab.experiments.advice_cell import advice_fingerprint

    return advice_fingerprint()


def _first_passage() -> str:
    return engine_fingerprint("experiments/first_passage.py", "experiments/comparison.py")


def _batch() -> str:
    return engine_fingerprint("experiments/batch_scaling.py", "experiments/first_passage.py")


def _best_peak() -> str:
    return engine_fingerprint("claims/cosine_annealing.py", "experiments/step_decay.py")


#: What computes the cells of each kind. The spec of a ``test`` names the engine of the training that it is of, and none of its own.
ENGINES: dict[str, Callable[[], str]] = {
    "simulate": engine_fingerprint, "predict": engine_fingerprint,
    "tuned": _batch, "raced": _batch, "first passage": _first_passage,
    "training": _training, "test": _training, "images": _images, "line": _line,
    "norm_training": _norm_training, "edge": _edge, "encoder": _encoder,
    "advise": _advise, "best_peak": _best_peak,
}  # fmt: skip


@cache
def todays_engine(kind: str) -> str | None:
    """The fingerprint of what computes cells of this kind today; None for a kind that is not optlab's."""
    return ENGINES[kind]() if kind in ENGINES else None


def spec_head(kind: str) -> dict[str, Any]:
    """How the spec of a new cell of this kind begins."""
    return {"kind": kind, "engine": ENGINES[kind]()}


def within(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The specs of the cells that this one is made of, if any: its ``of``.

    >>> within({"kind": "test", "of": {"kind": "training"}}), within({"kind": "simulate"})
    ([{'kind': 'training'}], [])
    """
    held = spec.get("of") or []
    return list(held) if isinstance(held, (list, tuple)) else [held]


def outdated(spec: Mapping[str, Any]) -> bool:
    """Whether another engine than today's has computed the cell, or one that it is made of, as far as their kinds are known."""
    return any(today is not None and engine != today for engine, today in _engines(spec))


def _engines(spec: Mapping[str, Any]) -> Iterator[tuple[str | None, str | None]]:
    held = within(spec)
    if "engine" in spec or not held:
        yield spec.get("engine"), todays_engine(str(spec.get("kind")))
    for part in held:
        yield from _engines(part)


__all__ = ["ENGINES", "outdated", "spec_head", "todays_engine", "within"]
