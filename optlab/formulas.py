"""Expressions that a definition writes only when they are read, so that making a problem does not import SymPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True)
class Formula:
    """``maker(*arguments)``, called when it is first read. The maker is a function of a module, the arguments are JSON values.

    >>> Formula(max, (2, 3)).value, Formula(max, (2, 3)).name
    (3, ('builtins.max', 2, 3))
    """

    maker: Callable[..., Any]
    arguments: tuple[Any, ...] = ()

    @property
    def value(self) -> Any:
        """What the maker gives; the same object every time."""
        return _made(self.maker, self.arguments)

    @property
    def name(self) -> tuple[Any, ...]:
        """The maker's name and the arguments."""
        return (f"{self.maker.__module__}.{self.maker.__qualname__}", *self.arguments)


@lru_cache(maxsize=1024)
def _made(maker: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return maker(*arguments)


class Written:
    """A field of a record that is given as an expression or as a :class:`Formula`, and always reads as the expression."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, record: object, owner: type | None = None) -> Any:
        if record is None or self.name not in vars(record):
            raise AttributeError(self.name)  # of the class: to dataclasses, a field without a default
        value = vars(record)[self.name]
        return value.value if isinstance(value, Formula) else value

    def __set__(self, record: object, value: Any) -> None:
        vars(record)[self.name] = value
