"""Which files a rule or schedule is written in, told from their import statements: what a kept fact about it depends on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent

#: What every record is made with.
_BASE = ("expressions", "symbols", "registry", "calls", "dialects", "libraries")
_PACKAGES = ("optlab.rules", "optlab.schedules")
_MODULES = (*_PACKAGES, "optlab.expressions", "optlab.symbols", "optlab.dialects")
#: Names through which a file may depend on something that its imports do not show: of optlab, and of Python.
_LOADERS = frozenset("get builtin names as_schedule facts_of".split())
_REACHES_OUT = frozenset("open exec eval compile input globals vars getattr __import__ __builtins__ __file__".split())


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Every import of a file, at any depth: the module, and the name taken from it ("" for the module itself)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (("." * node.level + (node.module or ""), alias.name) for alias in node.names)


@cache
def built_in(package: str, name: str) -> tuple[Path, ...]:
    """The files of a built-in definition: its own, those it imports of its package, and those that every record is made with.

    >>> [path.stem for path in built_in("optlab.rules", "adamw")][:2]
    ['adamw', 'adam']
    """
    folder, found = _HERE / package.rpartition(".")[2], [name]
    for stem in found:  # grows as imports are met
        tree = ast.parse((folder / f"{stem}.py").read_text(encoding="utf-8"))
        imported = [module.removeprefix(f"{package}.") for module, _ in _imports(tree) if module.startswith(f"{package}.")]
        imported += [taken for module, taken in _imports(tree) if module == package and (folder / f"{taken}.py").is_file()]
        found += [stem for stem in dict.fromkeys(imported) if stem not in found]
    return (*(folder / f"{stem}.py" for stem in found), folder / "__init__.py", *_base())


def of_user(path: Path) -> tuple[Path, ...] | None:
    """The file, and all that it may be made of, where it stands alone: it imports the records, built-in definitions and SymPy only.

    None where it imports anything else, reaches for files or names in another way, or is no Python file.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    for module, taken in _imports(tree):
        if module.split(".")[0] in ("sympy", "__future__"):
            continue
        records = module in _MODULES or module.rpartition(".")[0] in _PACKAGES
        if not records or not taken or taken in _LOADERS or taken.startswith(("_", "*")):
            return None
    if any(isinstance(node, ast.Name) and node.id in _REACHES_OUT for node in ast.walk(tree)):
        return None
    definitions = (file for package in _PACKAGES for file in sorted((_HERE / package.rpartition(".")[2]).glob("*.py")))
    return (path, *definitions, *_base())


def _base() -> tuple[Path, ...]:
    return tuple(_HERE / f"{stem}.py" for stem in _BASE)
