"""Facts about definitions, kept on disk so that the next process need not import SymPy to know them.

One JSON file per subject in the room ``facts`` of the cache: ``$OPTLAB_CACHE``, else the user's cache folder. The subject names all
that a fact depends on (the text of the request, the bytes of the definitions, SymPy's version), so nothing that is kept goes stale.
A folder that cannot be written keeps nothing, a file that is damaged is computed anew; ``OPTLAB_DERIVE=anew`` turns keeping off.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from optlab.files import write_atomically

_seen: dict[str, Any] = {}


def kept(subject: Sequence[str], compute: Callable[[], Any]) -> Any:
    """What is kept under this subject, else ``compute()``, kept. Either way as JSON gives it back: tuples are lists.

    The value is shared: do not change it. Errors of ``compute`` go through, and nothing is kept.

    >>> kept(["an example", "1"], lambda: {"answer": (4, 2)})
    {'answer': [4, 2]}
    """
    if os.environ.get("OPTLAB_DERIVE") == "anew":
        return json.loads(json.dumps(compute()))
    name = hashlib.sha256(json.dumps(list(subject)).encode()).hexdigest()[:32]
    if name not in _seen:
        found = _read(name, subject)
        if found is None:
            text = json.dumps(compute(), ensure_ascii=False)
            found = [json.loads(text)]
            _write(name, subject, text)
        _seen[name] = found[0]
    return _seen[name]


def digest(paths: Iterable[Path]) -> str:
    """A hash of the bytes of these files, in this order."""
    total = hashlib.sha256()
    for path in paths:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


@cache
def sympy_version() -> str:
    """SymPy's version, without importing it."""
    from importlib.metadata import version

    return version("sympy")


def _path(name: str) -> Path:
    asked = os.environ.get("OPTLAB_CACHE")
    if asked:
        return Path(asked).expanduser() / "facts" / f"{name}.json"
    from platformdirs import user_cache_path

    return user_cache_path("optlab") / "facts" / f"{name}.json"


def _check(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(name: str, subject: Sequence[str]) -> list[Any] | None:
    """The value in a list, None where there is no sound file."""
    try:
        record = json.loads(_path(name).read_text(encoding="utf-8"))
        if record["subject"] == list(subject) and record["check"] == _check(record["value"]):
            return [json.loads(record["value"])]
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError):
        pass
    return None


def _write(name: str, subject: Sequence[str], text: str) -> None:
    try:
        record = {"subject": list(subject), "value": text, "check": _check(text)}
        write_atomically(_path(name), json.dumps(record).encode())
    except (OSError, RuntimeError):
        pass  # computed again next time
