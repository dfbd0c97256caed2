"""Generated source files: written once per content into a per-user cache folder, imported, and compiled by Numba from there.

Numba's on-disk cache is tied to real source files and does not notice when a function that it inlined has changed, so
the file's name is a hash of everything the machine code depends on: the generated text, the templates and modules it
imports, and the versions of Numba and llvmlite.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
import warnings
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from optlab.errors import OptlabError
from optlab.files import write_atomically

_MARK = "# --- template ---\n"


def cache_folder(room: str = "kernels") -> Path:
    """Where generated kernels (or another room's files) live: in ``$OPTLAB_CACHE``, else the user's cache folder, else a private one."""
    from platformdirs import user_cache_path

    asked = os.environ.get("OPTLAB_CACHE")
    folder = (Path(asked).expanduser() if asked else user_cache_path("optlab")) / room
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if asked:
            raise OptlabError(f"OPTLAB_CACHE={asked}: cannot write there ({error.strerror}); name a folder you can write to") from None
        folder = _private_folder() / room
        folder.mkdir(exist_ok=True)
    return folder


@cache
def _private_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="optlab-"))


def template(path: Path) -> str:
    """The body of a template file: what follows its marker line."""
    text = path.read_text(encoding="utf-8")
    return text.split(_MARK, 1)[1]


def content_hash(source: str, depends_on: tuple[Path, ...] = ()) -> str:
    """The hash that names a generated file."""
    digest = hashlib.sha256(source.encode())
    for path in depends_on:
        digest.update(path.read_bytes())
    for package in ("numba", "llvmlite", "numpy"):
        digest.update(f"{package}={version(package)};".encode())
    return digest.hexdigest()[:20]


_loaded: dict[str, ModuleType] = {}


def load(source: str, depends_on: tuple[Path, ...] = (), prefix: str = "kernel") -> ModuleType:
    """Import the source from the cache folder, writing it there first if it is new (beside, then renamed into place)."""
    name = f"optlab_{prefix}_{content_hash(source, depends_on)}"
    if name in _loaded:
        return _loaded[name]
    path = cache_folder() / f"{name}.py"
    if not path.is_file() or path.read_text(encoding="utf-8") != source:
        write_atomically(path, source.encode())
    _loaded[name] = import_file(path)
    return _loaded[name]


def import_file(path: Path) -> ModuleType:
    """Import a generated file under its own name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise OptlabError(f"cannot import the generated file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # Numba's cache finds the module of a cached function by name
    with warnings.catch_warnings():
        spec.loader.exec_module(module)
    return module
