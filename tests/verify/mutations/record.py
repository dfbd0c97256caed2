"""What the catalogue holds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mutation:
    """A bug: ``check(seed)`` calls the public function on it, which must raise with ``named`` in its message."""

    bug: str
    function: str
    check: Callable[[int], Any]
    named: str
    peer: str = ""  #: the library that it is written with


@dataclass(frozen=True)
class Correct:
    """Something correct: ``check(seed)`` must not raise."""

    what: str
    function: str
    check: Callable[[int], Any]
    peer: str = ""
