"""A page of HTML with its figures and data beside it."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from optlab._version import __version__
from optlab.ensemble.netcdf import to_netcdf
from optlab.errors import OptlabError
from optlab.files import write_atomically
from optlab.quantities import labeled
from optlab.reporting.style import png_bytes, svg_text


class Page:
    """A page and the files beside it, in one folder."""

    def __init__(self, folder: Path, figures: bool = True) -> None:
        self.folder = folder
        try:
            (folder / "figures" if figures else folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OptlabError(f"cannot write to {folder}: {error.strerror}; name another folder with --out") from None
        self.files: list[str] = []

    def figure(self, name: str, figure: Figure, alternative: str) -> str:
        """Save a figure as PNG; returns it as an SVG element, for the page, with its text alternative."""
        svg = svg_text(figure).replace("<svg ", f'<svg role="img" aria-label="{alternative}" ', 1)
        # ids are unique per file only; the page holds several
        for marker in ('id="', "url(#", 'xlink:href="#', 'href="#'):
            svg = svg.replace(marker, f"{marker}{name}-")
        svg = svg.replace(f"xlink:{name}-href", "xlink:href").replace(f"{name}-{name}-", f"{name}-")
        write_atomically(self.folder / "figures" / f"{name}.png", png_bytes(figure))
        return svg

    def data(self, name: str, data: xr.Dataset) -> None:
        write_atomically(self.folder / f"{name}.nc", to_netcdf(labeled(data)))
        self.files.append(f"{name}.nc")

    def page(self, template: str, context: dict[str, Any]) -> Path:
        """Render a template into ``index.html``, in one piece."""
        environment = Environment(
            loader=PackageLoader("optlab.reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        path = self.folder / "index.html"
        write_atomically(path, environment.get_template(template).render(context).encode())
        return path


def versions() -> str:
    """The packages that a page's numbers depend on, with their versions."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("sympy", "numpy", "scipy", "numba", "xarray", "matplotlib"))
    return f"optlab {__version__}, {packages}"
