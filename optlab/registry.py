"""Finding definitions by name: built-in files, entry points of other packages, and ``file.py:NAME``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from optlab.calls import parse_call
from optlab.errors import InputError, UnknownNameError
from optlab.expressions import Rule, Schedule

T = TypeVar("T", Rule, Schedule)


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return (str(error).splitlines() or [""])[0]


def load_object(reference: str, kind: str) -> Any:
    """The object ``NAME`` in the file ``path.py``, given as ``"path.py:NAME"``. Raises InputError naming what is missing."""
    path_text, _, name = reference.rpartition(":")
    path = Path(path_text)
    if not path.is_file():
        raise InputError(f"{kind} {reference!r}: there is no file {path_text!r}; give path/to/file.py:NAME")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    module_name = f"optlab_user_{path.stem}_{digest}"
    module = sys.modules.get(module_name)
    if module is None:
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise InputError(f"{kind} {reference!r}: {path_text!r} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except InputError as error:
            raise InputError(f"{kind} {reference!r}: {first_line(error)}") from None
        except Exception as error:  # any error of the user's file is reported as one line
            raise InputError(f"{kind} {reference!r}: the file fails with {type(error).__name__}: {first_line(error)}") from None
        sys.modules[module_name] = module
    if not hasattr(module, name):
        offered = [key for key, value in vars(module).items() if isinstance(value, (Rule, Schedule))]
        raise UnknownNameError(f"name in {path_text}", name, offered)
    return getattr(module, name)


class Registry(Generic[T]):
    """The definitions of one kind, by name."""

    def __init__(self, kind: str, type_: type[T], group: str, builtin: list[str], attribute: str) -> None:
        self.kind, self.group, self._builtin, self.attribute = kind, group, builtin, attribute
        self.type: type[T] = type_

    def names(self) -> list[str]:
        """The names that ``get`` knows: the built-in ones in teaching order, then those of installed packages."""
        return [*self._builtin, *(e.name for e in entry_points(group=self.group) if e.name not in self._builtin)]

    def builtin(self) -> list[T]:
        """Every built-in definition, in teaching order."""
        return [self.get(name) for name in self._builtin]

    def get(self, name: str | T, **options: Any) -> T:
        """The definition of this name, with options bound.

        ``name`` may be a name (``"adam"``), a call (``"adam(beta1=0.5)"``), ``"mine.py:MINE"``, or the record itself.
        Raises UnknownNameError, or InputError for an option out of range.
        """
        if isinstance(name, self.type):
            return name.with_(**options) if options else name
        if not isinstance(name, str):
            raise InputError(f"{name!r} is no {self.kind}: give a name, 'file.py:NAME' or a {self.type.__name__}")
        head, inline, positional = parse_call(name)
        if positional:
            raise InputError(f"{self.kind} {name!r}: options go by name, such as {head}(option={positional[0]!r})")
        found: Any
        if ":" in head:
            found = load_object(head, self.kind)
        elif head in self._builtin:
            found = getattr(importlib.import_module(f"{self.group}.{head}"), self.attribute)
        else:
            entry = next((e for e in entry_points(group=self.group) if e.name == head), None)
            if entry is None:
                raise UnknownNameError(self.kind, head, self.names())
            found = entry.load()
        if not isinstance(found, self.type):
            raise InputError(f"{self.kind} {name!r} is a {type(found).__name__}, not a {self.type.__name__}")
        options = inline | options
        return found.with_(**options) if options else found
