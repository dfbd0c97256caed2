"""The claims of the source article, each tested: what is measured, with which interval, and the verdict that follows.

>>> import optlab as ol
>>> ol.claims.load(21).statement
'Adam converges more precisely and quickly than SGD in this task.'
"""

from __future__ import annotations

from typing import Any

__all__ = ["load", "run_claims"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from optlab.claims import run

        return getattr(run, name)
    raise AttributeError(f"module 'optlab.claims' has no attribute {name!r}")
