"""What a library makes of something that is one call there: a schedule, a normalization."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from optlab.printing import text


@dataclass(frozen=True)
class CallVerdict:
    """The call, its line to paste, and how its options follow from the source's; the words are those of :class:`Verdict`."""

    source: str
    library: str
    kind: str
    call: str = ""
    line: str = ""
    mapping: dict[str, sp.Expr] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()
    why: str = ""
    note: str = ""

    def map_text(self) -> str:
        """The map in a line."""
        return ", ".join(f"{option} = {text(value)}" for option, value in self.mapping.items())

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return vars(self) | {"verdict": self.kind, "mapping": {option: str(value) for option, value in self.mapping.items()}}
