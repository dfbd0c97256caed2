"""Small pieces of HTML: tables, numbers, verdict words. Everything that is not markup is escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from optlab.reporting.mathml import LETTERS


def number(value: float | None, digits: int = 4) -> str:
    """A number as people read it: 0.01486, 1.2e-09; a dash where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}g}".replace("-", "−")


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, text: Sequence[int] = (0,), caption: str = "") -> Markup:
    """A table in a box that scrolls sideways; ``text`` names the columns that are words, not numbers."""

    def cell(tag: str, position: int, content: object) -> Markup:
        scope = Markup(' scope="col"') if tag == "th" else ""
        kind = Markup(' class="text"') if position in text else ""
        return Markup("<{}{}{}>{}</{}>").format(Markup(tag), scope, kind, content, Markup(tag))

    head = Markup("").join(cell("th", i, header) for i, header in enumerate(headers))
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(cell("td", i, value) for i, value in enumerate(row))) for row in rows
    )
    label = caption or "Table: " + ", ".join(header for header in headers if header)
    return scrolling(Markup('<table class="data"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>').format(head, body), label)


def scrolling(inside: Markup, label: str) -> Markup:
    """A box that scrolls sideways, also by keyboard; ``label`` is what a screen reader says of it."""
    return Markup('<div class="scroll" tabindex="0" role="region" aria-label="{}">{}</div>').format(label, inside)


def verdict(good: bool, yes: str = "yes", no: str = "no") -> Markup:
    """A word that is green or red, and says the same without color."""
    return Markup('<span class="{}">{}</span>').format("good" if good else "bad", yes if good else no)


def _letter(word: re.Match[str]) -> str:
    if word[0] == "s2":
        return "s²"
    letter = LETTERS.get(word[1])
    return word[0] if letter is None else letter + "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in word[2])


def greek(sentence: str) -> str:
    """A sentence with the names of symbols as letters, small powers raised, and comparisons as signs.

    >>> greek("the minimum of f = lam/2 theta^2, alpha <= 1/L")
    'the minimum of f = λ/2 θ², α ≤ 1/L'
    """
    out = re.sub(r"(?<![A-Za-z])([A-Za-z]+)(\d?)(?![A-Za-z\d])", _letter, sentence)
    out = re.sub(r"\*\*(\d)|\^(\d)", lambda power: "⁰¹²³⁴⁵⁶⁷⁸⁹"[int(power[1] or power[2])], out)
    return out.replace("<=", "≤").replace(">=", "≥").replace("sqrt(", "√(")


def text(value: object) -> Markup:
    """The value, escaped."""
    return escape(value)
