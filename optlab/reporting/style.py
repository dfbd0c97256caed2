"""One look for every figure: colors by rule (Okabe & Ito's, safe for color-blind readers), simulation solid, theory dashed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
from matplotlib.figure import Figure
from PIL import Image

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
_ORDER = ("sgd", "momentum", "nesterov", "ema_momentum", "rmsprop", "adam", "adamw")
SIMULATION: dict[str, Any] = {"linestyle": "-"}
THEORY: dict[str, Any] = {"linestyle": (0, (4, 2))}
BOUND: dict[str, Any] = {"linestyle": (0, (1, 1.5)), "color": "#444444"}


def color_of(rule: str, position: int = 0) -> str:
    """The color of a rule: fixed for built-in ones, by position for others."""
    name = rule.partition("(")[0]
    return COLORS[_ORDER.index(name)] if name in _ORDER else COLORS[(len(_ORDER) + position) % len(COLORS)]


def looks(rules: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A color and a marker for each of many rules in one figure, as options of ``plot``: no two are the same.

    >>> look = looks(["sgd", "lion", "mine"])
    >>> look["sgd"]["color"] == COLORS[0], look["lion"]["color"] == COLORS[7], look["mine"]["marker"]
    (True, True, 's')
    """
    out: dict[str, dict[str, Any]] = {}
    others = 0
    for rule in rules:
        known = rule.partition("(")[0] in _ORDER
        out[rule] = {"color": color_of(rule, 0 if known else others), "marker": "o" if known else "Ds^vPX*"[min(others, 6)]}
        others += not known
    return out


@contextmanager
def style() -> Iterator[None]:
    """The project's matplotlib style, for the figures made inside."""
    with mpl.rc_context(), matplotlib.style.context(Path(__file__).with_name("optlab.mplstyle")):
        yield


def new_figure(width: float, height: float) -> Figure:
    """A figure that belongs to no window (inches)."""
    return Figure(figsize=(width, height), layout="constrained")


def png_bytes(figure: Figure) -> bytes:
    """The figure as a PNG of 256 colors: a third of the size, and nothing that a plot would lose."""
    buffer, small = io.BytesIO(), io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()


def svg_text(figure: Figure) -> str:
    """The figure as an <svg> element, the same text every time."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    # a tenth of a point is finer than most screens; six decimals double the size of the page
    short = re.sub(r' (?:d|x|y)="[^"]*"', lambda place: re.sub(r"(\.\d)\d+", r"\1", place[0]), text[text.index("<svg") :])
    short = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>| transform=\"rotate\(-?0 [^)]*\)\"", "", short, flags=re.S)  # what says nothing
    return re.sub(r">\s+<", "><", short).replace("\n", " ")
