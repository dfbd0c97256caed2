"""A page for every rule, schedule, normalization and bound, made from its record: nothing on them was typed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sympy as sp
from markupsafe import Markup

import optlab
from optlab import bounds, norms, rules, schedules
from optlab.analysis import is_linear
from optlab.codegen.rules import module_source
from optlab.dialects import spellings
from optlab.errors import OptlabError
from optlab.files import write_atomically
from optlab.reporting import derivation
from optlab.reporting.explorer import panel
from optlab.reporting.figures.stability import draw_stability
from optlab.reporting.html import greek, table
from optlab.reporting.mathml import equations, mathml
from optlab.reporting.parts import part_view
from optlab.reporting.style import new_figure, style, svg_text

ROOT = Path(optlab.__file__).parent


def write(folder: Path) -> None:
    """All pages, and an index for each kind."""
    kinds = {
        "rules": [(rule.name, rule.summary, rule_page(rule)) for rule in rules.builtin()],
        "schedules": [(one.name, one.summary, schedule_page(one)) for one in schedules.builtin()],
        "norms": [(name, norms.get(name).summary, norm_page(name)) for name in norms.names()],
        "bounds": [(name, bounds.get(name).measures, bound_page(name)) for name in bounds.names()],
    }
    save(folder / "explorer.md", explorer_page())
    titles = {"rules": "Rules", "schedules": "Schedules", "norms": "Normalizations", "bounds": "Convergence bounds"}
    for kind, pages in kinds.items():
        rows = "\n".join(f"| [{name.replace('_', ' ')}]({name}.md) | {greek(about)} |" for name, about, _ in pages)
        names = "\n".join(name for name, _, _ in pages)
        index = f"# {titles[kind]}\n\n| | |\n|---|---|\n{rows}\n\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"
        for name, _, text in [("index", "", index), *pages]:
            save(folder / kind / f"{name}.md", text)


def explorer_page() -> str:
    """The panel of :mod:`optlab.reporting.explorer`."""
    about = "Two directions of curvature 1 and 1/κ, from θ = 1. All is computed in the page, from the formulas of the rules."
    return f"# Move alpha and beta by hand\n\n{about}\n\n{raw(panel())}"


def save(path: Path, text: str) -> None:
    """Only where it changed, so that a second build reads nothing anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_atomically(path, text.encode())


def raw(html: str | Markup) -> str:
    """HTML that the page takes as it is."""
    return f"```{{raw}} html\n{html}\n```\n"


def part_text(part: derivation.Part) -> str:
    """A part of a derivation: its heading, its formulas, its notes."""
    view = part_view(part)
    notes = Markup("").join(Markup("<li>{}</li>").format(note) for note in view["notes"])
    listed = Markup("<ul>{}</ul>").format(notes) if notes else Markup()
    title = str(view["title"])
    return f"## {title[:1].upper()}{title[1:]}\n\n{raw(Markup(view['table']) + listed)}\n"


def code(text: str, title: str) -> str:
    """Source that opens on demand."""
    return f"{raw(Markup('<details><summary>{}</summary>').format(title))}\n```python\n{text.strip()}\n```\n\n{raw('</details>')}\n"


def definition(package: str, name: str) -> str:
    """The file that a record is written in."""
    return code((ROOT / package / f"{name}.py").read_text(encoding="utf-8"), f"Its definition, optlab/{package}/{name}.py")


def header(record: Any, formula: str) -> str:
    """Name, what it is, formula, reference."""
    reference = f"\n*{record.reference}*\n" if record.reference else ""
    return f"# {record.name.replace('_', ' ')}\n\n{record.summary[:1].upper()}{record.summary[1:]}.\n\n{raw(formula)}{reference}\n"


def plain(value: Any) -> str:
    """A number as people write it: 9/10, but 1e-08."""
    exact = sp.sympify(value)
    return f"{float(exact):g}" if exact.is_Rational and exact.q > 1000 else sp.sstr(exact)


def parameters(record: Any) -> str:
    """The hyper-parameters: default, range, meaning."""
    if not record.parameters:
        return ""
    rows = [
        (Markup(mathml(s)), Markup(f"<code>{s}</code>"), "–" if one.default is None else plain(one.default), one.within or "",
         greek(one.about or ""))
        for s, one in record.parameters.items()
    ]  # fmt: skip
    return f"## Hyper-parameters\n\n{raw(table(('', 'name', 'default', 'within', ''), rows, text=(0, 1, 2, 3, 4)))}\n"


def dialects(record: Any) -> str:
    """How libraries write it."""
    rows = [
        (library, Markup("<code>{}</code>").format(one.call), given(one), Markup("; ").join(aside(one)))
        for library, held in record.dialects.items()
        for one in spellings(held)
    ]
    if not rows:
        return "## In other libraries\n\nNone of torch, optax and keras has it.\n"
    shown = raw(table(("library", "call", "its options", "computes"), rows, text=(0, 1, 2, 3)))
    return f"## In other libraries\n\n{shown}\nWhat is identical, and what is not, with proofs: `optlab rosetta {record.name}`.\n"


def given(dialect: Any) -> Markup:
    """A dialect's options in the definition's symbols."""
    places = [(o if n is None else f"{o}[{n}]", Markup(mathml(e))) for o, n, e in dialect.places()]
    fixed = [(o, Markup("{}").format(repr(v))) for o, v in dialect.fixed.items()]
    return Markup(", ").join(Markup("<code>{}</code> = {}").format(name, value) for name, value in places + fixed)


def aside(dialect: Any) -> Iterable[str]:
    """Variants, weight decay and notes of a dialect."""
    yield from (f"{variant.replace('_', ' ')}: {chosen}" for variant, chosen in dialect.chosen.items())
    if dialect.decay:
        yield f"weight decay: {dialect.decay}"
    if dialect.note:
        yield greek(dialect.note)


def variants(rule: Any) -> str:
    """The spellings of one rule, and how to choose them."""
    if not rule.variants:
        return ""
    rows = [(name, ", ".join(options), Markup("<code>{}</code>").format(next(iter(options)))) for name, options in rule.variants.items()]
    example = f'{rule.name}({next(iter(rule.variants))}="{list(next(iter(rule.variants.values())))[-1]}")'
    shown = raw(table(("variant", "options", "by default"), rows, text=(0, 1, 2)))
    return f"## Variants\n\n{shown}\nChosen by name, such as `{example}`.\n"


def picture(rule: Any) -> str:
    """Where it is stable."""
    try:
        with style():
            figure = new_figure(5.5, 3.4)
            draw_stability(rule, figure.subplots())
            svg = svg_text(figure)
    except OptlabError as error:
        return f"## Stability\n\nNo picture: {error}.\n"
    held = "" if is_linear(rule) else " with its scale held fixed"
    caption = f"The factor by which an error changes per step{held}: colored where it shrinks, the black line where it does not change."
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{caption}" ', 1)
    return f"## Stability\n\n{raw(f'<figure class=picture>{svg}<figcaption>{caption}</figcaption></figure>')}\n"


def rule_page(rule: Any) -> str:
    """Equations, hyper-parameters, stability, derivation, dialects, sources."""
    parts = "".join(map(part_text, derivation.rule_parts(rule)))
    used = f"```console\n$ optlab derive {rule.name}\n$ optlab simulate --rule {rule.name} --alpha 0.01\n```\n"
    sources = f"## Sources\n\n{definition('rules', rule.name)}{code(module_source(rule), 'The Python that is generated from it')}"
    return "\n".join([header(rule, equations(rule)), used, parameters(rule), variants(rule), picture(rule), parts, dialects(rule), sources])


def schedule_page(schedule: Any) -> str:
    """Formula, curve, area, dialects, source."""
    parts = "".join(map(part_text, derivation.schedule_parts(schedule)))
    formula = mathml(schedule.expression, display=True)
    return "\n".join([header(schedule, formula), parameters(schedule), parts, dialects(schedule), definition("schedules", schedule.name)])


def norm_page(name: str) -> str:
    """Forward, backward, invariances, dialects, source."""
    norm = norms.get(name)
    parts = "".join(map(part_text, derivation.norm_parts(norm)))
    return "\n".join([header(norm, mathml(norm.forward, display=True)), parts, dialects(norm), definition("norms", name)])


def bound_page(name: str) -> str:
    """The bound, what it assumes, how it is known, source."""
    bound = bounds.get(name)
    part = part_text(derivation.bound_part(bound))
    top = f"# {name.replace('_', ' ')}\n\n{raw(mathml(bound.expression, display=True))}\n*{bound.reference}*\n"
    return "\n".join([top, part, definition("bounds", name)])
