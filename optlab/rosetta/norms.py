"""Normalizations between libraries: eps, what momentum means, and which variance runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from optlab import norms
from optlab.dialects import Dialect
from optlab.errors import InputError
from optlab.expressions import exact
from optlab.libraries import LIBRARIES, split_call
from optlab.norms.record import Norm, eps, momentum
from optlab.rosetta.call import CallVerdict
from optlab.rosetta.forms import plain_number

#: Options that say how large the layer is.
SIZES = ("num_features", "normalized_shape")


@dataclass(frozen=True)
class NormVerdict(CallVerdict):
    """What a library makes of a normalization.

    ``running`` says how a running value differs, as the ratio of its increments, where it does.
    """

    running: dict[str, sp.Expr] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return super().document() | {"running": {key: str(value) for key, value in self.running.items()}}


@dataclass(frozen=True)
class NormSetting:
    """A normalization in someone's form: its dialect (None: the record's own) and its numbers."""

    norm: Norm
    label: str
    library: str
    dialect: Dialect | None
    numbers: dict[sp.Symbol, sp.Expr]

    @property
    def running(self) -> dict[sp.Symbol, sp.Expr]:
        """The running values as this form has them."""
        return running_of(self.norm, self.dialect)


def running_of(norm: Norm, dialect: Dialect | None) -> dict[sp.Symbol, sp.Expr]:
    """Each running value's new value in a dialect, in the record's symbols."""
    return dict(norm.running) | dict((dialect.expression if dialect else None) or {})


def own_norm(name: str | Norm) -> NormSetting:
    """A record's own form at its default values."""
    norm = norms.get(name)
    return NormSetting(norm, norm.name, "optlab", None, dict(norm.defaults))


def defaults_of(norm: Norm, dialect: Dialect) -> dict[sp.Symbol, sp.Expr]:
    """eps and momentum at the library's default values: solved from its options. Without a default, the record's."""
    numbers = dict(norm.defaults)
    for name, _, expression in dialect.places():
        value = dialect.defaults[name]
        if value is not None:
            numbers |= _solved(expression, exact(value))
    return numbers


def _solved(expression: sp.Expr, value: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    (symbol,) = expression.free_symbols
    return {symbol: sp.solve(expression - value, symbol)[0]}


def read_norm(call_text: str) -> NormSetting | None:
    """A library's layer as it is typed; None if the call is none."""
    call, given = split_call(call_text)
    for norm in map(norms.get, norms.names()):
        for dialect in norm.dialects.values():
            if dialect.call == call:
                numbers = defaults_of(norm, dialect)
                for name, _, expression in dialect.places():
                    if given.get(name) is not None:
                        numbers |= _solved(expression, exact(given[name], f"{call}: {name}"))
                for name, value in given.items():
                    if name not in dialect.options and name not in SIZES and value != dialect.defaults[name]:
                        raise InputError(f"{call}: {name}={value!r} is not compared here; leave it out to compare the rest")
                return NormSetting(norm, call_text.strip(), dialect.library, dialect, numbers)
    return None


def compare_norm(source: NormSetting, library: str) -> NormVerdict:
    """The verdict on a normalization in a library.

    >>> compare_norm(own_norm("batch_norm"), "keras").map_text()
    'epsilon = eps, momentum = 1 - momentum'
    """
    norm, dialect = source.norm, source.norm.dialects.get(library)
    if dialect is None:
        return NormVerdict(source.label, library, "impossible", why=f"{library} has no layer of this kind")
    names = {key: key for key in (eps, momentum)}
    if source.dialect:  # the source's options, solved for
        for name, _, expression in source.dialect.places():
            (symbol,) = expression.free_symbols
            names[symbol] = sp.solve(expression - sp.Symbol(name), symbol)[0]
    mapping = {name: sp.simplify(expression.xreplace(names)) for name, _, expression in dialect.places()}
    values = {name: expression.xreplace(source.numbers) for name, _, expression in dialect.places()}
    ours, theirs = source.running, running_of(norm, dialect)
    apart = [key for key in ours if sp.simplify(ours[key] - theirs[key]) != 0]
    ratio = {str(key): sp.simplify(ours[key].coeff(key) / theirs[key].coeff(key)) for key in apart}
    defaults = {name: None if dialect.defaults[name] is None else exact(dialect.defaults[name]) for name in values}
    same = defaults == values
    shown = ", ".join(f"{name}={plain_number(value)!r}" for name, value in values.items() if defaults[name] != value)
    place = next((name for name in SIZES if name in dialect.defaults), "")
    line = f"{dialect.call}({', '.join(part for part in (place, shown) if part)})"
    conditions = ("the running variance apart: n against n - 1",) if ratio else ()
    kind = "mapped" if ratio or not same else "identical"
    return NormVerdict(source.label, library, kind, dialect.call, line, mapping, conditions, "", dialect.note, ratio)


def norm_matrix() -> list[NormVerdict]:
    """Every normalization's own form in every library."""
    return [compare_norm(own_norm(name), library) for name in norms.names() for library in LIBRARIES]
