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
    """A page and the files beside it, in one folder. With ``held``, nothing is written before the page itself is."""

    def __init__(self, folder: Path, figures: bool = True, held: bool = False) -> None:
        self.folder, self._rooms = folder, folder / "figures" if figures else folder
        self.files: list[str] = []
        self._held: dict[Path, bytes] | None = {} if held else None
        if not held:
            self._make()

    def _make(self) -> None:
        try:
            self._rooms.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OptlabError(f"cannot write to {self.folder}: {error.strerror}; name another folder with --out") from None

    def _write(self, path: Path, content: bytes) -> None:
        if self._held is None:
            write_atomically(path, content)
        else:
            self._held[path] = content

    def figure(self, name: str, figure: Figure, alternative: str) -> str:
        """Save a figure as PNG; returns it as an SVG element, for the page, with its text alternative."""
        svg = svg_text(figure).replace("<svg ", f'<svg role="img" aria-label="{alternative}" ', 1)
        # ids are unique per file only; the page holds several
        for marker in ('id="', "url(#", 'xlink:href="#', 'href="#'):
            svg = svg.replace(marker, f"{marker}{name}-")
        svg = svg.replace(f"xlink:{name}-href", "xlink:href").replace(f"{name}-{name}-", f"{name}-")
        self._write(self.folder / "figures" / f"{name}.png", png_bytes(figure))
        return svg

    def data(self, name: str, data: xr.Dataset) -> None:
        self._write(self.folder / f"{name}.nc", to_netcdf(labeled(data)))
        self.files.append(f"{name}.nc")

    def page(self, template: str, context: dict[str, Any]) -> Path:
        """Render a template into ``index.html``, in one piece."""
        environment = Environment(
            loader=PackageLoader("optlab.reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        path = self.folder / "index.html"
        content = environment.get_template(template).render(context).encode()
        if self._held is not None:
            self._make()
            for beside, held in self._held.items():
                write_atomically(beside, held)
        write_atomically(path, content)
        return path


def versions() -> str:
    """The packages that a page's numbers depend on, with their versions."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("sympy", "numpy", "scipy", "numba", "xarray", "matplotlib"))
    return f"optlab {__version__}, {packages}"
