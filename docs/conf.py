"""Sphinx configuration: `make docs` writes docs/_build/html. Pages of definitions are made from the definitions themselves."""

import re
import sys
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util.docutils import SphinxTranslator

import optlab

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import definitions  # noqa: E402  (beside this file)

project, author, copyright = "optlab", "the optlab developers", "the optlab developers"
release = version = optlab.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "sphinx_gallery.gen_gallery"]
exclude_patterns = ["_build", "gallery/**/*.md5", "gallery/**/*.py", "**/sg_execution_times.rst", "sg_execution_times.rst"]
suppress_warnings = ["myst.xref_missing", "config.cache"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_generate = True
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = "optlab"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-dark"  # contrast of at least 7, comments too

sphinx_gallery_conf = {
    "examples_dirs": ["../examples/gallery"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"/[a-z].*\.py",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "min_reported_time": 1e9,  # what an example took here says nothing elsewhere
    "image_scrapers": ("matplotlib",),
    "reset_modules": ("matplotlib",),
    "matplotlib_animations": False,
    "remove_config_comments": True,
    "plot_gallery": "True",
    "nested_sections": False,
    "copyfile_regex": "",
    "write_computation_times": False,
    "ignore_pattern": r"__init__\.py",
}


def linked_source(app, docname, source):
    """Links of Markdown pages to files of the repository become their text: the site stands alone."""
    outside = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(?!docs)[^)]+\)")
    source[0] = outside.sub(r"`\1`", source[0])


def sections(app, what, name, obj, options, lines):
    """Paragraphs that follow a list of parameters are notes: the docstrings of this project end their sections with a blank line only."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith(">>>"):
            lines[number] = line.replace("|", r"\|")  # |B| is a size, no substitution
    inside = False
    for number, line in enumerate(list(lines)):
        after = lines[number + 1] if number + 1 < len(lines) else ""
        if line == "Parameters" and after.startswith("---"):
            inside = True
        elif inside and line and not line.startswith((" ", "---")) and not after.startswith(" "):
            lines[number:number] = ["Notes", "-----"]
            return


def inline_math(self: SphinxTranslator, node):
    """Formulas as MathML, which browsers read without a script."""
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block_math(self: SphinxTranslator, node):
    """As :func:`inline_math`, on a line of its own."""
    self.body.append(convert(node.astext(), display="block"))
    raise nodes.SkipNode


def setup(app):
    """Write the pages of definitions before anything is read."""
    app.add_html_math_renderer("mathml", inline_renderers=(inline_math, None), block_renderers=(block_math, None))
    app.connect("builder-inited", lambda app: definitions.write(HERE / "reference"))
    app.connect("source-read", linked_source)
    app.connect("autodoc-process-docstring", sections, priority=100)  # before napoleon's own


html_math_renderer = "mathml"
