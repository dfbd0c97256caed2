"""What is derived of a definition as HTML: a table of formulas in MathML, each with how it is known."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from optlab.reporting.derivation import Part
from optlab.reporting.html import greek, scrolling
from optlab.reporting.mathml import mathml


def part_view(part: Part, is_open: bool = True) -> dict[str, Any]:
    """``title``, ``table`` (HTML), ``notes`` and ``open`` (whether it is shown at once) of a part, as templates take them."""
    rows = Markup("").join(
        Markup('<tr><td class="what">{}<br><span class="soft">{}</span></td><td>{}</td><td class="how">{}{}</td></tr>').format(
            line.label, greek(line.about), Markup(mathml(line.expression)), line.status, f": {line.how}" if line.how else ""
        )
        for line in part.lines
    )
    title = greek(part.title)
    body = scrolling(Markup('<table class="formulas"><tbody>{}</tbody></table>').format(rows), title) if part.lines else ""
    return {"title": title, "table": body, "notes": [greek(note) for note in part.notes], "open": is_open}
