"""Derivations kept on disk, by content: one JSON file for each subject, its formulas as text that ``optlab.sympify`` reads back.

The file's name is a hash of the subject (a rule's fingerprint, say), of the source of everything that derives, and of SymPy's
version: a changed definition or a changed derivation never meets an old result. A file that cannot be read is derived anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import sympy as sp

from optlab.codegen.module import cache_folder
from optlab.files import write_atomically
from optlab.statements import Statement
from optlab.symbols import sympify

log = logging.getLogger(__name__)
_SOURCES = ("analysis", "norms", "expressions.py", "statements.py", "symbols.py")


@cache
def _engine() -> str:
    """A hash of the source of everything that derives, and of SymPy's version."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256(sp.__version__.encode())
    for source in _SOURCES:
        path = root / source
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def as_text(value: Any) -> Any:
    """The value with every expression as text: what JSON holds."""
    if isinstance(value, (sp.Basic, sp.MatrixBase)):
        return {"formula": str(value)}
    if isinstance(value, Statement):
        return {"statement": {name: as_text(item) for name, item in vars(value).items()}}
    if isinstance(value, Mapping):
        return {"table": [[as_text(key), as_text(item)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [as_text(item) for item in value]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"{type(value).__name__} cannot be kept")


def from_text(value: Any) -> Any:
    """The inverse of :func:`as_text`; lists become tuples."""
    if isinstance(value, dict):
        if "formula" in value:
            return sympify(value["formula"])
        if "statement" in value:
            return Statement(**{name: from_text(item) for name, item in value["statement"].items()})
        return {from_text(key): from_text(item) for key, item in value["table"]}
    return tuple(from_text(item) for item in value) if isinstance(value, list) else value


class Kept:
    """The kept derivations of one subject: ``get(name, derive)`` reads the value, or derives and keeps it.

    ``OPTLAB_CACHE`` moves the folder; ``OPTLAB_DERIVE=anew`` neither reads nor writes it.
    """

    def __init__(self, *subject: str) -> None:
        self._name = hashlib.sha256("\n".join([_engine(), *subject]).encode()).hexdigest()[:32]
        self._found: dict[str, Any] | None = None

    @property
    def path(self) -> Path:
        """The file of this subject."""
        return cache_folder("theory") / f"{self._name}.json"

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else {}
        except (OSError, ValueError):
            return {}

    def get(self, name: str, derive: Callable[[], Any]) -> Any:
        """The value kept under this name, else ``derive()``, kept if its text reads back to an equal value."""
        if os.environ.get("OPTLAB_DERIVE") == "anew":
            return derive()
        if self._found is None:
            self._found = self._read()
        if name in self._found:
            try:
                read = from_text(self._found[name])
                log.info("read the derivation %s from %s", name, self.path)
                return read
            except (ValueError, KeyError, TypeError):
                del self._found[name]
        log.info("deriving %s, kept in %s", name, self.path)
        value = derive()
        try:
            text = as_text(value)
            if _same(from_text(text), value):
                self._found = self._read() | {name: text}
                write_atomically(self.path, json.dumps(self._found, ensure_ascii=False).encode())
        except (TypeError, ValueError, OSError):
            pass  # what cannot be kept is derived again next time
        return value


def _same(read: Any, value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return isinstance(read, tuple) and len(read) == len(value) and all(map(_same, read, value))
    if isinstance(value, Mapping):
        return isinstance(read, Mapping) and read.keys() == value.keys() and all(_same(read[key], value[key]) for key in value)
    if isinstance(value, Statement):
        return isinstance(read, Statement) and all(_same(getattr(read, name), item) for name, item in vars(value).items())
    return bool(read == value)
