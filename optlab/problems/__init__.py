"""What is minimized, one kind per file: ``quadratic``, ``line_fit``, ``least_squares``, ``logistic_regression``, ``huber_regression``,
``saddle``, ``plateau``, any ``symbolic`` one; and what installed packages declare under the entry-point group ``optlab.problems``:
a :class:`Problem`, or a function of options that makes one."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from optlab.calls import parse_call
from optlab.errors import InputError, UnknownNameError
from optlab.objectives import Expression, Fresh, NoiseLaw, Problem, Rows, Separable, Start
from optlab.problems.huber_regression import huber_regression
from optlab.problems.least_squares import least_squares
from optlab.problems.line_fit import line_fit
from optlab.problems.logistic_regression import logistic_regression
from optlab.problems.plateau import plateau
from optlab.problems.quadratic import quadratic
from optlab.problems.saddle import saddle
from optlab.problems.symbolic import symbolic
from optlab.registry import load_plugin, plugins

_MAKERS: dict[str, Callable[..., Problem]] = {
    "quadratic": quadratic, "line_fit": line_fit, "least_squares": least_squares, "logistic_regression": logistic_regression,
    "huber_regression": huber_regression, "saddle": saddle, "plateau": plateau, "symbolic": symbolic,
}  # fmt: skip
BUILTIN = frozenset(_MAKERS)  #: the names that are optlab's own


def names() -> list[str]:
    """The kinds of problem that ``get`` knows: the built-in ones, then those of installed packages."""
    return [*_MAKERS, *(entry.name for entry in plugins("optlab.problems", _MAKERS))]


def get(name: str | Problem, **options: Any) -> Problem:
    """A problem by name or call, such as ``"quadratic(condition_number=100, dim=50)"``; a problem itself passes through.

    >>> get("quadratic(condition_number=100, dim=3)").spectrum
    (0.01, 0.1, 1.0)
    """
    if isinstance(name, Problem):
        return name
    if not isinstance(name, str):
        raise InputError(f"{name!r} is no problem: give a name such as 'quadratic(condition_number=100, dim=10)'")
    head, inline, positional = parse_call(name)
    maker: Any = _MAKERS.get(head)
    if maker is None:
        entry = next((entry for entry in plugins("optlab.problems") if entry.name == head), None)
        if entry is None:
            raise UnknownNameError("problem", head, names())
        maker = load_plugin(entry, "problem")
    if isinstance(maker, Problem):
        if positional or inline or options:
            raise InputError(f"problem {name!r}: {head} is a ready problem and takes no options; write {head}")
        return maker
    if head in _MAKERS:
        known = list(signature(maker).parameters)
        for key in inline | options:
            if key not in known:
                raise UnknownNameError(f"option of {head}", key, known)
    try:
        made = maker(*positional, **(inline | options))
    except TypeError as error:
        raise InputError(f"problem {name!r}: {str(error).replace('()', '')}") from None
    if not isinstance(made, Problem):
        raise InputError(f"problem {name!r} is a {type(made).__name__}, not a Problem")
    return made


__all__ = [
    "BUILTIN",
    "Expression",
    "Fresh",
    "NoiseLaw",
    "Problem",
    "Rows",
    "Separable",
    "Start",
    "get",
    "huber_regression",
    "least_squares",
    "line_fit",
    "logistic_regression",
    "names",
    "plateau",
    "quadratic",
    "saddle",
    "symbolic",
]
