"""Small pieces of HTML: tables, numbers, verdict words. Everything that is not markup is escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape


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
    label = Markup(' aria-label="{}"').format(caption) if caption else ""
    return Markup(
        '<div class="scroll" tabindex="0"{}><table class="data"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(label, head, body)


def verdict(good: bool, yes: str = "yes", no: str = "no") -> Markup:
    """A word that is green or red, and says the same without color."""
    return Markup('<span class="{}">{}</span>').format("good" if good else "bad", yes if good else no)


def text(value: object) -> Markup:
    """The value, escaped."""
    return escape(value)
