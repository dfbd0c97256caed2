"""Finding definitions by name: built-in files, entry points of other packages, and ``file.py:NAME``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from optlab import definition_files
from optlab.calls import parse_call
from optlab.errors import InputError, UnknownNameError
from optlab.kept_facts import digest, kept, sympy_version

if TYPE_CHECKING:
    from optlab.expressions import Rule, Schedule

T = TypeVar("T", "Rule", "Schedule")


def late(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """A ``__getattr__`` for a package that offers names of other modules, imported when one is first asked for.

    ``modules`` holds each module's names, separated by spaces.
    """
    places = {name: module for module, names in modules.items() for name in names.split()}

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(places[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return get


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return (str(error).splitlines() or [""])[0]


def load_object(reference: str, kind: str) -> Any:
    """The object ``NAME`` in the file ``path.py``, given as ``"path.py:NAME"``. Raises InputError naming what is missing."""
    path_text, _, name = reference.rpartition(":")
    path = Path(path_text)
    if not path.is_file():
        raise InputError(f"{kind} {reference!r}: there is no file {path_text!r}; give path/to/file.py:NAME")
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise InputError(f"{kind} {reference!r}: {path_text!r} cannot be read ({error.strerror}); name a file that you may read") from None
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
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # any error of the user's file is reported as one line, sys.exit() too
            raise InputError(f"{kind} {reference!r}: the file fails with {type(error).__name__}: {first_line(error)}") from None
        sys.modules[module_name] = module
    if not hasattr(module, name):
        from optlab.expressions import Rule, Schedule

        offered = [key for key, value in vars(module).items() if isinstance(value, (Rule, Schedule))]
        raise UnknownNameError(f"name in {path_text}", name, offered)
    return getattr(module, name)


def plugins(group: str, builtin: Iterable[str] = ()) -> list[EntryPoint]:
    """What installed packages declare under an entry-point group, each name once; a built-in definition keeps its name."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        if entry.name not in builtin:
            found.setdefault(entry.name, entry)
    return list(found.values())


def load_plugin(entry: EntryPoint, kind: str) -> Any:
    """What the entry point names. Raises InputError, in one line that names the package, where that fails in any way."""
    try:
        return entry.load()
    except Exception as error:  # any error of somebody else's package is reported as one line
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
        raise InputError(
            f"{kind} {entry.name!r} of the installed package {package} fails with {type(error).__name__}: {first_line(error)}; "
            "update the package, or uninstall it"
        ) from None


class Registry(Generic[T]):
    """The definitions of one kind, by name. ``record`` names their class in :mod:`optlab.expressions`: it needs SymPy, so it comes late."""

    def __init__(self, kind: str, record: str, group: str, builtin: list[str], attribute: str) -> None:
        self.kind, self.record, self.group, self._builtin, self.attribute = kind, record, group, builtin, attribute

    @property
    def type(self) -> type[T]:
        """The class of the records."""
        found: type[T] = getattr(importlib.import_module("optlab.expressions"), self.record)
        return found

    def names(self) -> list[str]:
        """The names that ``get`` knows: the built-in ones in teaching order, then those of installed packages."""
        return [*self._builtin, *(entry.name for entry in plugins(self.group, self._builtin))]

    def builtin(self) -> list[T]:
        """Every built-in definition, in teaching order."""
        return [self.get(name) for name in self._builtin]

    def get(self, name: str | T, **options: Any) -> T:
        """The definition of this name, with options bound.

        ``name`` may be a name (``"adam"``), a call (``"adam(beta1=0.5)"``), ``"mine.py:MINE"``, or the record itself.
        Raises UnknownNameError, or InputError for an option out of range.
        """
        if not isinstance(name, str):
            if isinstance(name, self.type):
                return name.with_(**options) if options else name
            raise InputError(f"{name!r} is no {self.kind}: give a name, 'file.py:NAME' or a {self.record}")
        head, inline, positional = parse_call(name)
        if positional:
            raise InputError(f"{self.kind} {name!r}: options go by name, such as {head}(option={positional[0]!r})")
        found: Any
        if ":" in head:
            found = load_object(head, self.kind)
        elif head in self._builtin:
            found = getattr(importlib.import_module(f"{self.group}.{head}"), self.attribute)
        else:
            entry = next((entry for entry in plugins(self.group) if entry.name == head), None)
            if entry is None:
                raise UnknownNameError(self.kind, head, self.names())
            found = load_plugin(entry, self.kind)
        if not isinstance(found, self.type):
            raise InputError(f"{self.kind} {name!r} is a {type(found).__name__}, not a {self.record}")
        options = inline | options
        return found.with_(**options) if options else found

    def facts_of(self, name: str, compute: Callable[[T], Any], *, version: str) -> Any:
        """``compute`` of the definition of this name, as JSON gives it back: kept on disk, so that SymPy is imported only the first time.

        Parameters
        ----------
        name
            A name, a call or ``"mine.py:MINE"``, as for ``get``.
        compute
            From the record to JSON values.
        version
            What is computed, and by which code: facts of one name under one version are the same. A hash of the code's source, say.

        Facts are kept of built-in definitions and of files that import nothing beyond optlab's records and SymPy, until a file
        that they are written in changes; those of installed packages, and of files that reach further, are computed every time.

        >>> from optlab import rules
        >>> rules.facts_of("momentum(beta=0.5)", lambda rule: {"label": rule.label()}, version="an example, 1")
        {'label': 'momentum(beta=1/2)'}
        """

        def value() -> Any:
            return compute(self.get(name))

        files = self._files(name) if isinstance(name, str) else None
        if files is None:
            return json.loads(json.dumps(value()))
        return kept([self.kind, name, version, digest(files), sympy_version()], value)

    def _files(self, name: str) -> tuple[Path, ...] | None:
        """Every file that the definition of this name depends on; None where that cannot be told."""
        head = parse_call(name)[0]
        if ":" in head:
            return definition_files.of_user(Path(head.rpartition(":")[0]))
        return definition_files.built_in(self.group, head) if head in self._builtin else None
