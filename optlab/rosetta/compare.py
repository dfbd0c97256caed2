"""Comparing a setting with what a library offers: identical, equal after mapping hyper-parameters, or impossible, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import Any, Literal

import sympy as sp

from optlab import rules
from optlab.errors import UnknownNameError
from optlab.expressions import Rule
from optlab.libraries import LIBRARIES
from optlab.printing import text
from optlab.rosetta.decay import wd
from optlab.rosetta.forms import Form, Setting, all_forms, forms, own, read
from optlab.rosetta.part import Parting, parting
from optlab.rosetta.proof import Proof, prove
from optlab.rosetta.search import NONE, Found, Put, is_memory, search
from optlab.symbols import alpha

Kind = Literal["identical", "mapped", "impossible"]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Verdict:
    """What a library makes of a setting.

    Parameters
    ----------
    kind
        ``identical``: the same update with the same default values, names aside. ``mapped``: the same under ``mapping``, and
        ``conditions``. ``impossible``: no hyper-parameters of the library follow the setting, unless ``agree_where`` holds.
    target
        The library's form that was found, or the nearest one.
    mapping
        Each option of the call as an expression in the source's options.
    line
        The library's call for the setting's numbers; for ``impossible`` the nearest one.
    proof
        The induction over the steps that proves the map; None where there is none.
    parting
        The shortest sequence of gradients at which the setting and the nearest call part (``impossible``, or the condition broken).
    """

    source: Setting
    library: str
    kind: Kind
    target: Setting | None
    mapping: dict[str, sp.Expr] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()
    agree_where: str = ""
    why: str = ""
    proof: Proof | None = None
    parting: Parting | None = None
    factor: sp.Expr = sp.S.One

    @property
    def line(self) -> str:
        """The library's call that people can paste; empty where there is none."""
        return self.target.line() if self.target else ""

    @property
    def proved(self) -> bool:
        """Whether SymPy proved the equality."""
        return self.proof is not None and self.proof.holds

    def map_text(self) -> str:
        """The map in a line: what is not called the same, or is not the same number.

        >>> from optlab.rosetta import translate
        >>> translate("ema_momentum", "optax").map_text()
        'learning_rate = alpha*(1 - beta), momentum = beta'
        """
        return ", ".join(f"{option} = {text(value)}" for option, value in self.mapping.items() if str(value) != option)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        proof = self.proof
        return {
            "source": self.source.line(), "library": self.library, "verdict": self.kind, "call": self.line,
            "mapping": {key: str(value) for key, value in self.mapping.items()}, "conditions": list(self.conditions),
            "agree_where": self.agree_where, "why": self.why, "proved": self.proved,
            "states": {str(key): str(value) for key, value in proof.states.items()} if proof and proof.holds else {},
            "first_step_apart": self.parting.step if self.parting else None,
            "gradients": list(self.parting.gradients) if self.parting else [],
            "learning_rates": list(self.parting.rates) if self.parting else [],
            "theta": [list(self.parting.ours), list(self.parting.theirs)] if self.parting else [],
        }  # fmt: skip


def translate(source: str | Setting | Rule, library: str) -> Verdict:
    """What says the same in a library as a call of another one, or one of optlab's rules.

    Raises what :func:`read` raises for text that cannot be read.

    >>> translate("torch.optim.RMSprop(lr=0.01, alpha=0.9)", "optax").line
    'optax.rmsprop(learning_rate=0.01, eps_in_sqrt=False)'
    """
    if library not in LIBRARIES:
        raise UnknownNameError("library", library, LIBRARIES)
    setting = source if isinstance(source, Setting) else read(source) if isinstance(source, str) else own(source)
    return compare(setting, library)


def compare(source: Setting, library: str) -> Verdict:
    """The verdict on a setting in a library: every spelling of the same rule is tried, then every other call of the library."""
    base = source.form.base
    with_decay = source.form.decayed or wd in base.parameters
    known = rules.get(base.name) if base.name in rules.names() else base
    near = [form for form in forms(known, library, True) if with_decay or not form.decayed] if known.dialects.get(library) else []
    far = [form for form in all_forms(library) if form not in near and (with_decay or not form.decayed)]
    idle: Put = frozenset((key, sp.Integer(0)) for key in source.form.free if source.numbers[key] == 0)
    for pool in (near, far):
        for put in dict.fromkeys((NONE, idle)):
            found = [(form, hit) for form in pool if (hit := search(source.form, form, put))]
            if found:
                form, hit = min(found, key=lambda pair: (pair[1].constant_rate, not pair[1].identity(), _effort(pair[0])))
                return _agreeing(source, library, form, hit, put)
    return _impossible(source, library, near, idle)


def _effort(form: Form) -> int:
    return len(form.options()) + form.chained


def _agreeing(source: Setting, library: str, form: Form, found: Found, put: Put) -> Verdict:
    numbers = {key: sp.nsimplify(value.xreplace(source.numbers)) for key, value in found.numbers.items()}
    rate = None if source.rate is None else found.factor.xreplace(source.numbers) * source.rate
    target = Setting(form, numbers, rate, found.factor.xreplace(source.numbers))
    first = forms(rules.get(form.base.name), library)[0]
    defaults = {key: value.xreplace(source.form.defaults) for key, value in found.numbers.items()}
    same = found.identity() and not found.constant_rate and form == first and defaults == form.defaults and all(key == wd for key, _ in put)
    conditions = ["constant learning rate"] if found.constant_rate else []
    names = _names(source.form)
    conditions += [f"{names.get(key, key)} = {value}" for key, value in sorted(put, key=str)]
    proof = prove(source.form, form, found, put)
    apart = parting(source, target, float(found.factor.xreplace(source.numbers))) if found.constant_rate else None
    return Verdict(
        source, library, "identical" if same else "mapped", target, _mapping(source.form, form, found), tuple(conditions),
        proof=proof, parting=apart, factor=found.factor,
    )  # fmt: skip


def _names(form: Form) -> dict[sp.Symbol, sp.Symbol]:
    """Each hyper-parameter to a symbol named as its option."""
    names: dict[sp.Symbol, sp.Symbol] = {}
    for option, position, expression in form.places:
        if expression.is_Symbol:
            names.setdefault(expression, sp.Symbol(option if position is None else f"{option}[{position}]"))
    return names


def _mapping(source: Form, target: Form, found: Found) -> dict[str, sp.Expr]:
    """Each option of the target in the source's option names: solved, since the options are expressions in the rule's symbols."""
    names = _names(source)
    for_ever = {key: source.defaults[key] for key in source.rule.parameters if key not in names}
    values = dict(found.numbers) | {alpha: found.factor * alpha}
    out: dict[str, sp.Expr] = {}
    for option, position, expression in target.places:
        value = sp.sympify(expression).xreplace(values).xreplace(for_ever)
        out[option if position is None else f"{option}[{position}]"] = value.xreplace(names)
    fixed = {option: sp.Symbol(repr(value)) for option, value in target.options().items()}
    return out | fixed


def _impossible(source: Setting, library: str, near: list[Form], idle: Put) -> Verdict:
    if not near:
        return _elsewhere(source, library)
    nearest = [form for form in near if form.decayed == source.form.decayed] or near
    where, names = "", _names(source.form)
    special = _special_values(source.form, nearest[0], dict(idle))
    tried: Iterable[tuple[tuple[sp.Symbol, sp.Expr], ...]] = chain.from_iterable(combinations(special, n) for n in (1, 2))
    chosen = nearest[0]
    for extra in tried:
        if len(dict(extra)) < len(extra):
            continue
        hits = [(form, hit) for form in near if (hit := search(source.form, form, idle | frozenset(extra)))]
        if hits:
            steady = all(hit.constant_rate for _, hit in hits)
            words = [f"{names.get(key, key)} = {value}" for key, value in sorted(extra, key=str)]
            where = " and ".join([*words, *(["the learning rate is constant"] if steady else [])])
            chosen = next((form for form, _ in hits if form.decayed == source.form.decayed), hits[0][0])
            break
    numbers = {key: source.numbers.get(key, value) if key in chosen.free else value for key, value in chosen.defaults.items()}
    target = Setting(chosen, numbers, source.rate)
    why, apart = differences(source.form, chosen, dict(idle)), parting(source, target)
    return Verdict(source, library, "impossible", target, agree_where=where, why=why, parting=apart)


def _elsewhere(source: Setting, library: str) -> Verdict:
    """No call of this rule: what the record's own form is there, if it is anything, is the nearest."""
    name = source.form.base.name
    none = Verdict(source, library, "impossible", None, why=f"no call of {library} computes {name}")
    if name not in rules.names() or source.form.dialect is None:
        return none
    numbers = {key: source.numbers[key] for key in rules.get(name).parameters if key in source.numbers}
    other = compare(own(rules.get(name).with_(**{str(key): value for key, value in numbers.items()})), library)
    if other.target is None:
        return none
    why = f"{other.target.form.name} computes {name} in another variant: {differences(source.form, own(name).form).replace(name, 'it')}"
    rate = None if source.rate is None else other.target.factor * source.rate
    target = Setting(other.target.form, other.target.numbers, rate, other.target.factor)
    return Verdict(source, library, "impossible", target, why=why, parting=parting(source, target, float(target.factor)))


def _special_values(source: Form, target: Form, idle: dict[sp.Symbol, sp.Expr]) -> list[tuple[sp.Symbol, sp.Expr]]:
    """Values at which a hyper-parameter of the source may make the two agree: eps = 0, what the target has for ever, no memory."""
    rates = [key for key in source.free if key not in idle]
    for_ever = [(key, target.defaults[key]) for key in rates if key in target.rule.parameters and key not in target.free]
    vanish = [key for key in rates if source.rule.parameters[key].domain.contains(sp.Integer(0)) is sp.true]
    small = [(key, sp.Integer(0)) for key in vanish if not is_memory(source.rule.parameters[key])]
    return [*small, *for_ever, *((key, sp.Integer(0)) for key in vanish if is_memory(source.rule.parameters[key]))]


def differences(source: Form, target: Form, idle: dict[sp.Symbol, sp.Expr] | None = None) -> str:
    """In which variants two forms of a rule differ, in words; ``idle`` holds hyper-parameters that are 0."""
    said = []
    if source.base.name == target.base.name:
        for variant, option in source.base.chosen.items():
            other = target.base.chosen[variant]
            meanings = [source.base.variants[variant][choice] for choice in (option, other)]
            plain = [{key: sp.sympify(value).xreplace(idle or {}) for key, value in meaning.items()} for meaning in meanings]
            if plain[0] != plain[1]:
                said.append(f"{_words(variant)}: {_words(option)} here, {_words(other)} in {target.name}")
    else:
        said.append(f"{target.name} computes {target.base.name}")
    kinds = [form.decay or form.base.chosen.get("decay", "") for form in (source, target)]
    if kinds[0] != kinds[1]:
        said.append(f"weight decay: {kinds[0] or 'none'} here, {kinds[1] or 'none'} in {target.name}")
    used = set().union(*(right.free_symbols for _, right in target.rule.equations))
    fixed = [key for key in target.rule.parameters if key not in target.free and key in source.free and key in used]
    said += [f"{key} is {target.defaults[key]} for ever in {target.name}" for key in fixed]
    return "; ".join(said) or "no hyper-parameters of it follow"


def _words(name: str) -> str:
    return name.replace("_", " ")


def matrix(names: Iterable[str] | None = None, *, progress: Progress | None = None) -> list[Verdict]:
    """Every rule's own form against every library, in teaching order."""
    chosen = list(names or rules.names())
    jobs = [(name, library) for name in chosen for library in LIBRARIES]
    out = []
    for done, (name, library) in enumerate(jobs):
        if progress:
            progress(done, len(jobs), f"{name}, {library}")
        out.append(compare(own(name), library))
    return out


def between_libraries(rule: Rule | str) -> list[Verdict]:
    """A rule's usual spelling in each library against the other libraries."""
    rule = rules.get(rule)
    spelled = {library: forms(rule, library) for library in LIBRARIES}
    return [
        compare(Setting(found[0], found[0].defaults), other)
        for library, found in spelled.items() if found for other in LIBRARIES if other != library
    ]  # fmt: skip
