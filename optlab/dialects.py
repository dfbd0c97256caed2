"""How a library writes a rule, a schedule or a normalization: its call, and each of its options in the definition's own symbols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from optlab.errors import InputError
from optlab.libraries import library_of, signature


@dataclass(frozen=True)
class Dialect:
    """A library's spelling of a definition.

    Parameters
    ----------
    call
        What people type, such as ``torch.optim.RMSprop``.
    options
        Each option of the call that is a hyper-parameter, as an expression in the definition's own symbols (``alpha`` among them);
        a tuple of expressions where the option is one, such as torch's ``betas``.
    chosen
        The definition's variants that the library computes: where eps stands, what the first step is, and so on.
    fixed
        Options that must have these values for the call to be this definition, such as ``nesterov=True``. Every option that is named
        neither here nor in ``options`` stays at the library's default.
    decay
        What the call's ``weight_decay`` does where it is no hyper-parameter of the definition: ``"coupled"`` (added to the gradient),
        ``"decoupled"`` (theta shrinks by itself), or ``""`` (there is none).
    given
        Options that have to be given: with their default value the call is another definition (momentum = 0).
    numbers
        Hyper-parameters that the library has no option for, and their values there.
    expression
        Of a schedule: what the library computes, in its own options (see :func:`option`). Of a normalization: the running values.
    note
        What else has to be said, in a line.

    Default values are those of :mod:`optlab.libraries`. Raises InputError for an option that the call does not have.

    >>> from optlab.symbols import alpha, symbol
    >>> Dialect("torch.optim.RMSprop", {"lr": alpha, "alpha": symbol("beta"), "eps": symbol("eps")}).default_numbers()
    {alpha: 0.01, beta: 0.99, eps: 1e-08}
    """

    call: str
    options: Mapping[str, Any]
    chosen: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    decay: str = ""
    given: tuple[str, ...] = ()
    expression: Any = None
    note: str = ""
    numbers: Mapping[sp.Symbol, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = signature(self.call)
        for option in (*self.options, *self.fixed, *(["weight_decay"] if self.decay else [])):
            if option not in known:
                raise InputError(f"{self.call} has no option {option}: it has {', '.join(known)}")

    @property
    def library(self) -> str:
        """The library that the call belongs to."""
        return library_of(self.call)

    @property
    def defaults(self) -> dict[str, Any]:
        """Every option of the call with its default value; ``...`` where one must be given."""
        return signature(self.call)

    def places(self) -> Iterator[tuple[str, int | None, sp.Expr]]:
        """Each hyper-parameter's place: the option, the position where the option is a tuple, and the expression."""
        for option, expression in self.options.items():
            if isinstance(expression, tuple):
                yield from ((option, position, sp.sympify(part)) for position, part in enumerate(expression))
            else:
                yield option, None, sp.sympify(expression)

    def default_numbers(self) -> dict[sp.Symbol, Any]:
        """The definition's hyper-parameters at the library's default values, where an option is one alone and has a number as default."""
        found = dict(self.numbers)
        for option, position, expression in self.places():
            value = self.defaults[option]
            if expression.is_Symbol and option not in self.given and value is not ... and value is not None:
                found[expression] = value if position is None else value[position]
        return found


def option(name: str) -> sp.Symbol:
    """The symbol of a library's option: another one than the definition's symbol of the same name.

    >>> from optlab.symbols import symbol
    >>> option("alpha") == symbol("alpha")
    False
    """
    return sp.Symbol(name, nonnegative=True)


def spellings(dialect: Any) -> tuple[Dialect, ...]:
    """A library's entry in ``dialects`` as a tuple: it may hold one spelling or several, and plain variants have no call."""
    if isinstance(dialect, Dialect):
        return (dialect,)
    return tuple(dialect) if isinstance(dialect, (tuple, list)) else ()
