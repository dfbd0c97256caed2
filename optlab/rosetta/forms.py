"""A rule in someone's form: its own record, or a library's call; and settings, which are forms with their numbers put in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import sympy as sp

from optlab import rules
from optlab.calls import parse_call
from optlab.dialects import Dialect, spellings
from optlab.errors import InputError, UnsupportedError
from optlab.expressions import Rule, exact, shortest
from optlab.libraries import LIBRARIES, SIGNATURES, full_name, split_call
from optlab.rosetta.decay import wd, with_decay
from optlab.symbols import alpha

Place = tuple[str, int | None, sp.Expr]


@dataclass(frozen=True)
class Form:
    """A rule whose variants are chosen and whose hyper-parameters are symbols, as its record or a library's call writes it.

    ``base`` is the rule with its variants, ``dialect`` the library's call (None: the record's own form), ``decayed`` whether the
    library's weight decay is on.
    """

    base: Rule
    dialect: Dialect | None = None
    decayed: bool = False

    @cached_property
    def rule(self) -> Rule:
        """The whole rule, weight decay included."""
        return with_decay(self.base, self.decay) if self.decayed else self.base

    @property
    def decay(self) -> str:
        """What weight decay does where it is on: coupled where optax chains it before the call."""
        return (self.dialect.decay or "coupled") if self.dialect and self.decayed else ""

    @property
    def chained(self) -> bool:
        """Whether weight decay is a transformation before the call: ``optax.chain(optax.add_decayed_weights(...), ...)``."""
        return bool(self.decayed and self.dialect and not self.dialect.decay)

    @property
    def name(self) -> str:
        """What people call it: the library's call, or the rule's label."""
        return self.dialect.call if self.dialect else self.base.label()

    @property
    def library(self) -> str:
        """``torch``, ``optax``, ``keras``, or ``optlab`` for the record's own form."""
        return self.dialect.library if self.dialect else "optlab"

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Where each hyper-parameter stands in the call: option, position in it (None: it is one number), expression."""
        if self.dialect is None:
            return (("alpha", None, alpha), *((str(key), None, key) for key in self.rule.parameters))
        return (*self.dialect.places(), *([("weight_decay", None, wd)] if self.decayed else []))

    @cached_property
    def defaults(self) -> dict[sp.Symbol, sp.Expr]:
        """Every hyper-parameter at the library's default, or the record's where the library has none."""
        numbers = {key: record.default for key, record in self.rule.parameters.items()}
        if self.dialect:
            numbers |= {key: exact(value) for key, value in self.dialect.default_numbers().items() if key in numbers}
        return {key: sp.Integer(0) if value is None else value for key, value in numbers.items()}

    @property
    def free(self) -> tuple[sp.Symbol, ...]:
        """The hyper-parameters that can be set: those of an option. The others have the library's number for ever."""
        within = set().union(*(expression.free_symbols for _, _, expression in self.places))
        return tuple(key for key in self.rule.parameters if key in within)

    def options(self) -> dict[str, Any]:
        """The options that make the call this form, whatever its numbers."""
        if self.dialect is None:
            return {}
        off = {"weight_decay": 0} if self.dialect.decay and not self.decayed and self.dialect.defaults["weight_decay"] else {}
        return dict(self.dialect.fixed) | off

    def line(self, numbers: dict[sp.Symbol, sp.Expr], rate: sp.Expr | None = None, factor: sp.Expr = sp.S.One) -> str:
        """The call as people can paste it. Options at the library's default are left out, the learning rate never is if it is known.

        Where it is not, and the call needs ``factor`` times the rate alpha that one has in mind, the call says so.

        >>> from optlab import rules
        >>> form = forms(rules.get("rmsprop"), "torch")[0]
        >>> form.line(form.defaults | {rules.symbol("beta"): exact("0.9")}, exact("0.01"))
        'torch.optim.RMSprop(lr=0.01, alpha=0.9)'
        """
        known = dict(numbers) | ({alpha: rate} if rate is not None else {})
        if self.dialect is None:
            given = {str(key): shortest(value) for key, value in numbers.items() if value != self.base.parameters[key].default}
            chosen = {key: option for key, option in self.base.chosen.items() if option != next(iter(self.base.variants[key]))}
            shown = ", ".join(f"{key}={value}" for key, value in (chosen | given).items())
            return self.base.name + (f"({shown})" if shown else "")
        written, defaults = self.keywords(known), self.dialect.defaults
        first = written.pop("weight_decay", "...") if self.chained else None
        rates = ("lr", "learning_rate")
        called = [f"{option}={value!r}" for option, value in written.items() if option in rates or not _same(value, defaults[option])]
        if rate is None and factor != 1:
            called.insert(0, f"{next(option for option in rates if option in defaults)}={plain_number(factor)!r}*alpha")
        call = f"{self.dialect.call}({', '.join(called)})"
        return f"optax.chain(optax.add_decayed_weights({first}), {call})" if self.chained else call

    def keywords(self, numbers: Mapping[sp.Symbol, sp.Expr]) -> dict[str, Any]:
        """The call's options as Python values, those that make it this form among them; what has no number is left out."""
        written: dict[str, Any] = {}
        for option, position, expression in self.places:
            value = expression.xreplace(dict(numbers))
            if value.is_number:
                written[option] = plain_number(value) if position is None else (*written.get(option, ()), plain_number(value))
        return written | self.options()


@dataclass(frozen=True)
class Setting:
    """A form with numbers: each hyper-parameter's, and the learning rate where it was given."""

    form: Form
    numbers: dict[sp.Symbol, sp.Expr]
    rate: sp.Expr | None = None
    factor: sp.Expr = sp.S.One  #: what multiplies a rate that is not known

    def line(self) -> str:
        """The call that people can paste."""
        return self.form.line(self.numbers, self.rate, self.factor)


def plain_number(value: sp.Expr) -> Any:
    """As people type it: 3, not 3.0, for a whole number."""
    number = float(value)
    return int(number) if number == int(number) and abs(number) < 1e15 and value.is_Integer else number


def _same(one: Any, other: Any) -> bool:
    if other is None:
        other = 0
    return one == other or (isinstance(one, tuple) and isinstance(other, tuple) and all(map(_same, one, other)))


@lru_cache(maxsize=512)
def forms(rule: Rule | str, library: str, decays: bool = False) -> tuple[Form, ...]:
    """How a library writes this rule: every spelling, the usual one first; with ``decays`` also those with its weight decay.

    >>> [form.name for form in forms("momentum", "keras")]
    ['keras.optimizers.SGD']
    """
    rule = rules.get(rule)
    plain = tuple(
        Form(rule.unbound().with_(**{key: next(iter(options)) for key, options in rule.variants.items()} | dict(dialect.chosen)), dialect)
        for dialect in spellings(rule.dialects.get(library))
    )
    addable = [form for form in plain if form.dialect and (form.dialect.decay or (library == "optax" and wd not in form.base.declared))]
    return plain + tuple(Form(form.base, form.dialect, True) for form in addable if decays)


@lru_cache(maxsize=8)
def all_forms(library: str) -> tuple[Form, ...]:
    """Every spelling of every built-in rule in a library, with and without its weight decay."""
    return tuple(form for rule in rules.builtin() for form in forms(rule, library, True))


def own(rule: Rule | str) -> Setting:
    """The record's own form with its bound and default values."""
    rule = rules.get(rule)
    return Setting(Form(rule.unbound()), {key: sp.Integer(0) if value is None else value for key, value in _values(rule).items()})


def _values(rule: Rule) -> dict[sp.Symbol, Any]:
    return {key: rule.bound.get(key, record.default) for key, record in rule.parameters.items()}


def is_call(text: str) -> bool:
    """Whether the text names a library's call, known or not.

    >>> is_call("torch.optim.Adam"), is_call("adam(beta1=0.5)"), is_call("mine.py:MINE")
    (True, False, False)
    """
    head = full_name(text.strip().partition("(")[0].strip())
    return head in SIGNATURES or head.partition(".")[0] in LIBRARIES


def read(text: str) -> Setting:
    """What was typed: a library's call with its options, or one of optlab's rules. Nothing is evaluated.

    Raises InputError (UnknownNameError with the nearest names) for what cannot be read, UnsupportedError for options that are no
    update of one coordinate here (clipping by a global norm, maximize).

    >>> setting = read("torch.optim.SGD(lr=0.1, momentum=0.9, nesterov=True)")
    >>> setting.form.base.name, setting.form.base.chosen["form"], setting.rate
    ('nesterov', 'rewritten', 1/10)
    """
    if not is_call(text):
        parse_call(text)
        return own(text)
    call, given = split_call(text)
    closest: tuple[int, str] | None = None
    for library in LIBRARIES:
        for form in all_forms(library):
            if form.dialect and form.dialect.call == call and not form.chained:
                setting, reasons = _matched(form, given)
                if setting:
                    return setting
                if closest is None or len(reasons) < closest[0]:
                    closest = (len(reasons), ", ".join(reasons))
    raise UnsupportedError(
        f"{call}: {closest[1] if closest else 'the call'} is not written as a rule here; leave it out to compare the rest"
    )


def _matched(form: Form, given: dict[str, Any]) -> tuple[Setting | None, list[str]]:
    """The setting if these options are this form, else the options that are not."""
    assert form.dialect is not None
    dialect = form.dialect
    values, needed = dialect.defaults | given, form.options()
    numbers: dict[sp.Symbol, sp.Expr] = {key: exact(value) for key, value in dialect.numbers.items()}
    reasons, rate = [], None
    mapped: dict[str, list[Place]] = {}
    for place in form.places:
        mapped.setdefault(place[0], []).append(place)
    for option, value in values.items():
        if option in mapped:
            parts = mapped[option]
            items = [value] if parts[0][1] is None else list(value) if isinstance(value, (tuple, list)) else None
            if items is None or len(items) != len(parts):
                raise InputError(f"{dialect.call}: {option} = {value!r} must be {len(parts)} numbers, such as {dialect.defaults[option]}")
            for item, (_, _, expression) in zip(items, parts, strict=True):
                if option == "weight_decay" and item is None:
                    item = 0
                if item is ... and expression == alpha:
                    continue
                if item is None:
                    if expression != alpha:
                        reasons.append(f"{option}={item}")
                    continue
                if isinstance(item, (bool, str)):
                    raise InputError(f"{dialect.call}: {option} = {item!r} is not a number")
                number = exact(item, f"{dialect.call}: {option}")
                if expression == alpha:
                    if option in given or value is not ...:
                        rate = number
                        if number < 0:
                            raise InputError(f"{dialect.call}: {option} = {item} is negative: a learning rate is at least 0")
                elif numbers.setdefault(expression, number) != number:
                    reasons.append(f"{option}={item}")
                else:
                    form.rule.parameters[expression].check(number, f"{dialect.call}: {option}")
                    if option in dialect.given and number == 0 and not dialect.fixed:
                        reasons.append(f"{option}=0")
        elif option in needed:
            if value != needed[option]:
                reasons.append(f"{option}={value!r}")
        elif not _same(value if value is not None else 0, dialect.defaults[option]) and option in given:
            reasons.append(f"{option}={value!r}")
    if form.decayed and numbers.get(wd) == 0:
        reasons.append("weight_decay=0")
    if reasons:
        return None, reasons
    return Setting(form, form.defaults | numbers, rate), []
