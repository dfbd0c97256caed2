"""optlab says what an optimizer does, and how we know.

Everything mathematical is written once, as a SymPy expression; analysis, kernels and reports are derived from it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from optlab._version import __version__

if TYPE_CHECKING:
    from optlab import bounds, claims, data, errors, experiments, nn, norms, problems, rosetta, rules, schedules, verify
    from optlab.analysis import analyze
    from optlab.analysis.adaptive import analyze_adaptive
    from optlab.analysis.worst_case import worst_case
    from optlab.ensemble.budget import best_peak, final_loss
    from optlab.ensemble.predict import predict
    from optlab.ensemble.second_moment import second_moment
    from optlab.ensemble.simulate import simulate
    from optlab.experiments.advise import advise
    from optlab.reporting.build import report
    from optlab.reporting.grid import grid
    from optlab.reporting.theory import theory
    from optlab.symbols import sympify
    from optlab.training.train import train

_LAZY = {
    "analyze": "optlab.analysis",
    "analyze_adaptive": "optlab.analysis.adaptive",
    "best_peak": "optlab.ensemble.budget",
    "final_loss": "optlab.ensemble.budget",
    "second_moment": "optlab.ensemble.second_moment",
    "predict": "optlab.ensemble.predict",
    "simulate": "optlab.ensemble.simulate",
    "advise": "optlab.experiments.advise",
    "grid": "optlab.reporting.grid",
    "report": "optlab.reporting.build",
    "sympify": "optlab.symbols",
    "theory": "optlab.reporting.theory",
    "train": "optlab.training.train",
    "worst_case": "optlab.analysis.worst_case",
}
_PACKAGES = ("bounds", "claims", "data", "errors", "experiments", "nn", "norms", "problems", "rosetta", "rules", "schedules", "verify")

__all__ = [
    "__version__",
    "advise",
    "analyze",
    "analyze_adaptive",
    "best_peak",
    "bounds",
    "claims",
    "data",
    "errors",
    "experiments",
    "final_loss",
    "grid",
    "nn",
    "norms",
    "predict",
    "problems",
    "report",
    "rosetta",
    "rules",
    "schedules",
    "second_moment",
    "simulate",
    "sympify",
    "theory",
    "train",
    "verify",
    "worst_case",
]


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``import optlab`` and ``optlab --help`` stay quick."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _PACKAGES:
        return import_module(f"optlab.{name}")
    raise AttributeError(f"module 'optlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
