"""The error tree. Every message is one line: what is wrong, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def short(value: object, length: int = 40) -> str:
    """The value as one short line.

    >>> short("a\\nb")
    "'a\\\\nb'"
    """
    text = " ".join(repr(value).splitlines())
    return text if len(text) <= length else f"{text[: length - 4]}...{text[0]}"


class OptlabError(Exception):
    """Base of every error that optlab raises on purpose; its text is one line, whatever a file's name or an option holds.

    >>> print(OptlabError("there is no file a\\nb"))
    there is no file a b
    """

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())


class InputError(OptlabError, ValueError):
    """Something the caller gave cannot be used; the message says what, where and how to mend it."""


class UnknownNameError(InputError, KeyError):
    """A name that optlab does not know, with the nearest names it does.

    >>> print(UnknownNameError("rule", "adma", ["adam", "sgd"]))
    unknown rule 'adma'; did you mean 'adam'? (known: adam, sgd)
    """

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        near = get_close_matches(str(name), self.known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        few = len(self.known) <= 24
        shown = self.known if few else get_close_matches(str(name), self.known, n=6, cutoff=0)
        super().__init__(
            f"unknown {kind} {short(name, 100)}{hint} ({'known' if few else f'{len(self.known)} known, the nearest'}: {', '.join(shown)})"
        )

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return " ".join(str(self.args[0]).splitlines())

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[str, object, tuple[str, ...]]]:  # pickled, it comes from another machine
        return type(self), (self.kind, self.name, self.known)


class UnsupportedError(OptlabError):
    """A well-formed request that optlab does not do; the message says why."""


class NotLinearError(UnsupportedError):
    """An exact linear analysis was asked of a rule whose update is not linear in its state and gradient."""


class MissingDependencyError(OptlabError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


class StoreError(OptlabError):
    """A stored result could not be written or read."""


class ClusterError(OptlabError):
    """The machines that cells were sent to cannot be reached, have another optlab, or were lost; the message says how to mend it."""


class Interrupted(OptlabError):
    """The user stopped a computation; the message says what is kept, and how to go on."""


class CheckFailed(OptlabError, AssertionError):
    """A verification found a defect; the message names it, and may say in more lines how to see it."""

    __str__ = Exception.__str__
