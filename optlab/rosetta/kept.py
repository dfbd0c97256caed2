"""Verdicts kept on disk, so that the matrix is computed once on a machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from optlab.kept_facts import digest, kept, sympy_version
from optlab.libraries import LIBRARIES
from optlab.rules import names

Progress = Callable[[int, int, str], None]

ROOMS = ("rules", "schedules", "norms")


@cache
def _code() -> str:
    """A hash of all that a verdict depends on."""
    here = Path(__file__).parent
    rooms = [path for room in (here, *(here.parent / name for name in ROOMS)) for path in sorted(room.glob("*.py"))]
    return digest([*rooms, *(here.parent / f"{name}.py" for name in ("expressions", "symbols", "dialects", "libraries"))])


def matrix_documents(*, progress: Progress | None = None) -> list[dict[str, Any]]:
    """Every rule's own form against every library, as :meth:`Verdict.document` gives it, with the rule's name."""
    jobs = [(rule, library) for rule in names() if rule in _builtin() for library in LIBRARIES]
    out = []
    for done, (rule, library) in enumerate(jobs):
        if progress:
            progress(done, len(jobs), f"{rule}, {library}")

        def value(rule: str = rule, library: str = library) -> Any:
            from optlab.rosetta.compare import compare
            from optlab.rosetta.forms import own

            return {"rule": rule} | compare(own(rule), library).document()

        out.append(kept(["rosetta", rule, library, _code(), sympy_version()], value))
    return out


@cache
def _builtin() -> frozenset[str]:
    return frozenset(path.stem for path in (Path(__file__).parent.parent / "rules").glob("*.py"))


def other_documents() -> dict[str, list[dict[str, Any]]]:
    """Every schedule and normalization against every library."""

    def value() -> Any:
        from optlab.rosetta.norms import norm_matrix
        from optlab.rosetta.schedules import schedule_matrix

        found = {"schedules": schedule_matrix(), "normalizations": norm_matrix()}
        return {kind: [verdict.document() for verdict in verdicts] for kind, verdicts in found.items()}  # type: ignore[attr-defined]

    documents: dict[str, list[dict[str, Any]]] = kept(["rosetta", "others", _code(), sympy_version()], value)
    return documents
