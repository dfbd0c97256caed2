"""What is said of an optimizer, beside how it is known: derived, proved, or stated from a reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp

from optlab.errors import InputError

#: How a formula is known. The tests check all three against numbers; only the first two are checked by algebra.
STATUSES = {
    "derived": "SymPy computed it from the definition; nothing was told",
    "proved": "it is stated, and SymPy verifies the identities and inequalities that its proof consists of",
    "stated": "it is taken from the reference and checked numerically",
}


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A formula about an optimizer or a layer, and how it is known.

    Parameters
    ----------
    name
        An identifier, unique among the statements it stands with.
    about
        What the formula gives, in one line.
    expression
        The formula: an expression, a relation, a set or a matrix.
    status
        ``"derived"``, ``"proved"`` or ``"stated"`` (see ``STATUSES``).
    how
        The steps that lead to it, in a line or two.
    symbols
        The meaning of each symbol that is not among the shared ones.
    conditions
        Relations under which it holds.
    assumptions
        What else it needs, in words.
    reference
        Where it is published.

    >>> from optlab.symbols import alpha, g
    >>> Statement(name="step", about="the first step", expression=-alpha * g, status="derived", how="one step").status
    'derived'
    """

    name: str
    about: str
    expression: sp.Basic
    status: str
    how: str
    symbols: Mapping[sp.Symbol, str] = field(default_factory=dict)
    conditions: tuple[sp.Basic, ...] = ()
    assumptions: tuple[str, ...] = ()
    reference: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise InputError(f"statement {self.name}: status {self.status!r} is unknown: use one of {', '.join(STATUSES)}")
        if self.status == "stated" and not self.reference:
            raise InputError(f"statement {self.name} is stated without a reference: name where it is published, or prove it")
