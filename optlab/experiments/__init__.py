"""One question per file: specs in, labelled results out.

Each name of :data:`optlab.experiments.catalog.QUESTIONS` is a function here, such as ``optlab.experiments.ravine(kappa=10)``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from optlab.experiments.catalog import QUESTIONS

__all__ = [*QUESTIONS]


def __getattr__(name: str) -> Any:
    if name in QUESTIONS:
        return import_module(f"optlab.experiments.questions.{name}").EXPERIMENT
    raise AttributeError(f"module 'optlab.experiments' has no attribute {name!r}; experiments: {', '.join(QUESTIONS)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *QUESTIONS])
