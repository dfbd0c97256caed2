"""The records that hold the mathematics: hyper-parameters, states, rules and schedules.

A record is written once, as SymPy expressions; kernels, LaTeX, analysis and reports are derived from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from optlab.dialects import spellings
from optlab.errors import InputError, UnknownNameError, short
from optlab.exported import ExportedRule, ExportedSchedule
from optlab.printing import latex
from optlab.symbols import alpha, g, symbol, sympify, t, theta, time

Equations = tuple[tuple[sp.Symbol, sp.Expr], ...]


def exact(value: object, what: str = "value") -> sp.Expr:
    """The number as an exact Rational: ``0.9`` and ``"9/10"`` both give 9/10. Raises InputError for anything else.

    >>> exact(0.9), exact("1e-8")
    (9/10, 1/100000000)
    """
    if isinstance(value, sp.Expr) and not isinstance(value, sp.Float):
        number = value
    elif isinstance(value, bool) or value is None:
        raise InputError(f"{what} = {value!r} is not a number: give one such as 0.9 or '9/10'")
    else:
        text = str(value).strip()
        exponent = text.lower().partition("e")[2].lstrip("+-").lstrip("0")
        if len(text) > 1000 or (exponent.isdigit() and len(exponent) > 4):  # 1e10000 has ten thousand digits
            raise InputError(f"{what} = {short(value)} has too many digits: give a number such as 0.9 or '9/10'")
        try:
            number = sp.Rational(text)
        except (TypeError, ValueError, ZeroDivisionError):
            raise InputError(f"{what} = {value!r} is not a finite number: give one such as 0.9 or '9/10'") from None
    if not number.is_number or not number.is_finite or not number.is_real:
        raise InputError(f"{what} = {value!r} is not a finite real number: give one such as 0.9 or '9/10'")
    return number


def interval(text: str) -> sp.Set:
    """Read ``"[0, 1)"`` as a SymPy interval; ``oo`` is infinity.

    >>> interval("[0, 1)")
    Interval.Ropen(0, 1)
    """
    try:
        left, right = text.strip()[1:-1].split(",")
        low, high = sp.sympify(left), sp.sympify(right)
        return sp.Interval(low, high, left_open=text.strip()[0] == "(", right_open=text.strip()[-1] == ")")
    except (ValueError, TypeError, sp.SympifyError):
        raise InputError(f"{text!r} is not an interval: write one such as '[0, 1)' or '(0, oo)'") from None


def shortest(value: sp.Expr) -> str:
    """The shortest text that :func:`exact` reads back to this number.

    >>> shortest(sp.Rational(9, 10)), shortest(sp.Rational(669421488, 10**9)), shortest(sp.Rational(1, 3))
    ('0.9', '0.669421488', '1/3')
    """
    decimal = repr(float(value))
    return decimal if len(decimal) < len(str(value)) and sp.Rational(decimal) == value else str(value)


class Parameter:
    """A hyper-parameter: its default (None: it must be given), the interval it lies in, and one line of meaning.

    >>> Parameter("9/10", within="[0, 1)").default
    9/10
    """

    def __init__(
        self, default: int | float | str | sp.Expr | None = None, within: str = "(-oo, oo)", about: str = "", integer: bool = False
    ) -> None:
        self.within, self.about, self.integer = within, about, integer
        self.domain = interval(within)
        self.default = None if default is None else self.check(default, "default")

    def check(self, value: object, name: str) -> sp.Expr:
        """The value as an exact number, or an InputError that names it and the interval it must lie in."""
        number = exact(value, name)
        if not self._holds(number):
            raise InputError(f"{name} = {value} is out of range: it must lie in {self.within}")
        if self.integer and not number.is_integer:
            raise InputError(f"{name} = {value} must be a whole number")
        return number

    def _holds(self, number: sp.Expr) -> bool:
        """Whether the number lies in the domain; of a rational in an interval it is seen without SymPy's relations, many times quicker."""
        if not (number.is_Rational and isinstance(self.domain, sp.Interval)):
            return self.domain.contains(number) is sp.true
        low, high, left, right = self.domain.args
        return bool((low < number or (low == number and not left)) and (number < high or (number == high and not right)))

    def __repr__(self) -> str:
        return f"Parameter({self.default}, within={self.within!r})"


@dataclass(frozen=True)
class State:
    """A quantity the rule remembers: one number per coordinate, or one for all (kind ``"scalar"``), starting at ``init``."""

    init: Any = 0
    kind: str = "coordinate"

    def __post_init__(self) -> None:
        if self.kind not in ("coordinate", "scalar"):
            raise InputError(f"State kind {self.kind!r} is unknown: use 'coordinate' or 'scalar'")
        object.__setattr__(self, "init", sympify(self.init))


def _declared(given: Mapping[Any, Any] | None, kind: type[Any], where: str) -> dict[sp.Symbol, Any]:
    """What is declared, by symbol; a bare number is read as the default of a parameter, or as the start of a state."""
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"{where} = {short(given)} must be a dict from symbols, such as {{symbol('beta'): {kind.__name__}(...)}}")
    for key in given or {}:
        if not isinstance(key, sp.Symbol):
            raise InputError(f"{where}: {short(key)} is no symbol; write symbol({str(key)!r})")
    return {key: value if isinstance(value, kind) else kind(value) for key, value in (given or {}).items()}


def _equations(given: Any, where: str) -> Equations:
    """Pairs of a symbol and an expression, in order; a dict is taken in its order."""
    pairs = list(given.items()) if isinstance(given, Mapping) else list(given)
    for pair in pairs:
        if not (isinstance(pair, (tuple, list)) and len(pair) == 2 and isinstance(pair[0], sp.Symbol)):
            raise InputError(f"{where}: {short(pair)} is no equation; write (symbol, expression) pairs, such as (theta, theta - alpha * g)")
    return tuple((left, _expression(right, f"{where}: the equation for {left}")) for left, right in pairs)


def _expression(given: Any, where: str) -> sp.Expr:
    try:
        found = sp.sympify(given)
    except (sp.SympifyError, SyntaxError, TypeError, AttributeError):
        found = None
    if not isinstance(found, sp.Expr):
        raise InputError(f"{where} is {short(given)}, not an expression in symbols")
    return found


class Parametrized:
    """What rules and schedules share: a name, parameters with bound values, and a fingerprint of the definition."""

    name: str
    parameters: dict[sp.Symbol, Parameter]
    bound: dict[sp.Symbol, sp.Expr]

    def _check_values(self, options: Mapping[str, object]) -> dict[sp.Symbol, sp.Expr]:
        known = {symbol.name: symbol for symbol in self.parameters}
        for key in options:
            if key not in known:
                raise UnknownNameError(f"option of {self.name}", key, known)
        return {known[key]: self.parameters[known[key]].check(value, f"{self.name}: {key}") for key, value in options.items()}

    @property
    def values(self) -> dict[sp.Symbol, sp.Expr]:
        """Every parameter's exact value: the bound one, else the default. Raises InputError if one has neither."""
        out = {}
        for parameter, record in self.parameters.items():
            value = self.bound.get(parameter, record.default)
            if value is None:
                raise InputError(f"{self.name} needs a value for {parameter}: give {parameter}=... (it must lie in {record.within})")
            out[parameter] = value
        return out

    def _numbers(self) -> list[object]:
        """Each parameter and the text of its bound or default value, flat, for the identity."""
        return [item for key, record in self.parameters.items() for item in (key, str(self.bound.get(key, record.default)))]

    def _identity(self) -> tuple[object, ...]:
        raise NotImplementedError

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of the mathematics (not of names, comments or file positions beyond it)."""
        text = repr([sp.srepr(item) if isinstance(item, sp.Basic) else item for item in self._identity()])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def label(self) -> str:
        """The name with what was bound or chosen, as it can be typed on the command line.

        >>> from optlab import rules
        >>> rules.get("momentum", beta=0.5).label()
        'momentum(beta=1/2)'
        """
        options = [f"{key}={value}" for key, value in self._options().items()]
        return self.name + (f"({', '.join(options)})" if options else "")

    def _options(self) -> dict[str, object]:
        return {str(key): shortest(value) for key, value in self.bound.items()}

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} {self.label()}>"


class Rule(ExportedRule, Parametrized):
    """An optimizer's update rule for one coordinate.

    Parameters
    ----------
    equations
        Ordered (symbol, expression) pairs, or a dict in that order; each sees the values already updated. A symbol that is neither
        ``theta`` nor a state is an intermediate quantity of the step.
    parameters
        Hyper-parameter symbol to :class:`Parameter`, or to its default alone. The learning rate ``alpha`` is none: a schedule gives it.
    state
        State symbol to :class:`State`, or to its start alone.
    gradient_at
        Where the gradient ``g`` is taken, as an expression in theta and the state (``theta`` by default).
    variants
        ``{variant: {option: {placeholder symbol: expression}}}``: spellings of one rule. The first option is the default.
        A hyper-parameter that only an option of a variant uses is one of the rule's ``parameters`` where that option is chosen.
    dialects
        How libraries write it: ``{library: Dialect}``, or several, the usual one first; or ``{library: {option: value}}``
    analysis
        ``{"frozen": {symbol: expression}}``: what is held fixed when a nonlinear rule is linearized.

    ``t`` is the step number, counted from 1. Raises InputError if a symbol has no meaning.

    >>> m = symbol("m"); beta = symbol("beta")
    >>> rule = Rule(name="mine", parameters={beta: Parameter("9/10", within="[0, 1)")}, state={m: State()},
    ...             equations=((m, beta * m + (1 - beta) * g), (theta, theta - alpha * m)))
    >>> rule.with_(beta=0.5).equations[0][1]
    g/2 + m/2
    """

    def __init__(
        self,
        *,
        name: str,
        equations: Iterable[tuple[sp.Symbol, Any]] | Mapping[sp.Symbol, Any],
        parameters: Mapping[sp.Symbol, Parameter | int | float | str | sp.Expr] | None = None,
        state: Mapping[sp.Symbol, State | int | float | str | sp.Expr] | None = None,
        gradient_at: Any = theta,
        variants: Mapping[str, Mapping[str, Mapping[sp.Symbol, Any]]] | None = None,
        dialects: Mapping[str, Any] | None = None,
        analysis: Mapping[str, Any] | None = None,
        summary: str = "",
        reference: str = "",
        bound: Mapping[sp.Symbol, sp.Expr] | None = None,
        chosen: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.summary, self.reference = name, summary, reference
        where = f"rule {name}"
        self.declared, self.state = _declared(parameters, Parameter, f"{where}: parameters"), _declared(state, State, f"{where}: state")
        self.variants = {variant: dict(options) for variant, options in (variants or {}).items()}
        self.dialects, self.analysis = dict(dialects or {}), dict(analysis or {})
        self.definition = _equations(equations, where)
        self._gradient_at, self.bound = _expression(gradient_at, f"{where}: gradient_at"), dict(bound or {})
        self.chosen = {variant: next(iter(options)) for variant, options in self.variants.items()} | dict(chosen or {})
        self._meaning = self._meaning_of(self.chosen)
        idle = self._idle()
        self.parameters = {key: record for key, record in self.declared.items() if key not in idle}
        self.equations: Equations = tuple((left, self._resolve(right)) for left, right in self.definition)
        self.gradient_at: sp.Expr = self._resolve(self._gradient_at)
        self.initial: dict[sp.Symbol, sp.Expr] = {key: self._resolve(record.init) for key, record in self.state.items()}
        self._validate()

    def _meaning_of(self, chosen: Mapping[str, str]) -> dict[sp.Symbol, sp.Expr]:
        """What every placeholder stands for under these variants."""
        pairs = [pair for variant, option in chosen.items() for pair in self.variants[variant][option].items()]
        return {key: sp.sympify(value) for key, value in pairs}

    def _idle(self) -> set[sp.Symbol]:
        """The declared parameters that only options of variants use, of which neither a chosen nor a default one is among them."""
        optional = {
            s for options in self.variants.values() for m in options.values() for e in m.values() for s in sp.sympify(e).free_symbols
        }
        if not optional & self.declared.keys():
            return set()
        default = {variant: next(iter(options)) for variant, options in self.variants.items()}
        inits = [sp.sympify(record.init) for record in self.state.values()]
        fixed = set().union(self._gradient_at.free_symbols, *(e.free_symbols for e in (*(right for _, right in self.definition), *inits)))
        used = set(fixed)
        for meaning in (self._meaning, self._meaning_of(default)):
            reached = list(fixed)
            for key in reached:  # grows as placeholders are met
                reached += [new for new in meaning.get(key, sp.S.Zero).free_symbols if new not in reached]
            used |= set(reached)
        return (optional & self.declared.keys()) - used

    def _resolve(self, expression: sp.Expr) -> sp.Expr:
        for _ in range(len(self._meaning) + 1):  # a placeholder may stand for another
            if not expression.free_symbols & self._meaning.keys():
                break
            expression = expression.xreplace(self._meaning)
        else:
            raise InputError(f"rule {self.name}: the placeholders {', '.join(map(str, self._meaning))} refer to each other in a circle")
        return expression.xreplace(self.bound)

    def _validate(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise InputError(f"rule name {self.name!r} must be an identifier such as 'adam'")
        known = {theta, g, alpha, t} | self.parameters.keys() | self.state.keys()
        reserved = {theta, g, alpha, t} & (self.parameters.keys() | self.state.keys())
        if reserved:
            raise InputError(f"rule {self.name}: {reserved.pop()} has a fixed meaning and cannot be a parameter or a state")
        updated: list[sp.Symbol] = []
        for left, right in self.equations:
            self._check_symbols(f"the equation for {left}", right, known)
            if left in {g, alpha, t} | self.parameters.keys():
                raise InputError(f"rule {self.name}: {left} is given from outside and cannot be assigned")
            known, updated = known | {left}, [*updated, left]
        if updated.count(theta) != 1:
            raise InputError(f"rule {self.name} assigns theta {updated.count(theta)} times: exactly one equation must update it")
        for key in self.state:
            if key not in updated:
                raise InputError(f"rule {self.name}: the state {key} is never updated: add its equation or drop it")
        self._check_symbols("gradient_at", self.gradient_at, {theta, alpha, t} | self.parameters.keys() | self.state.keys())
        for key, init in self.initial.items():
            self._check_symbols(f"the initial value of {key}", init, set(self.parameters))

    def _check_symbols(self, where: str, expression: sp.Expr, known: set[sp.Symbol]) -> None:
        if not isinstance(expression, sp.Expr):
            raise InputError(f"rule {self.name}: {where} is {expression!r}, not an expression")
        functions = expression.atoms(AppliedUndef)
        if functions:
            raise InputError(
                f"rule {self.name}: {where} uses {functions.pop()}, which is no function of one coordinate; "
                "norms over all coordinates (LAMB, clipping by global norm) are not supported"
            )
        unknown = sorted(str(s) for s in expression.free_symbols - known)
        if unknown:
            raise InputError(f"rule {self.name}: {where} uses {', '.join(unknown)}, not declared as parameter or state (nor set before)")

    def with_(self, **options: object) -> Rule:
        """A copy with hyper-parameters bound (numbers) and variants chosen (their option's name).

        >>> from optlab import rules
        >>> rules.get("adam").with_(beta1=0.5, eps_placement="outside").label()
        'adam(eps_placement=outside, beta1=1/2)'
        """
        chosen, numbers, declared = {}, {}, set(map(str, self.declared))
        for key, value in options.items():
            if key in self.variants and ((isinstance(value, str) and value in self.variants[key]) or key not in declared):
                if not isinstance(value, str) or value not in self.variants[key]:
                    raise UnknownNameError(f"{key} of {self.name}", value, self.variants[key])
                chosen[key] = str(value)
            elif key in declared:
                numbers[key] = value
            else:
                raise UnknownNameError(f"option of {self.name}", key, [*map(str, self.parameters), *self.variants])
        spelled = self._copy(chosen=self.chosen | chosen, bound={}) if chosen else self
        for key in numbers.keys() - set(map(str, spelled.parameters)):
            where = [f"{v}={o}" for v, options in self.variants.items() for o, m in options.items() if self._mentions(m, symbol(key))]
            raise InputError(f"{self.name}: {key} has no meaning here; it is a number of {' or '.join(where)}")
        kept = {key: value for key, value in self.bound.items() if key in spelled.parameters}
        return spelled._copy(bound=kept | spelled._check_values(numbers))

    @staticmethod
    def _mentions(meaning: Mapping[sp.Symbol, Any], key: sp.Symbol) -> bool:
        return any(key in sp.sympify(expression).free_symbols for expression in meaning.values())

    def dialect(self, library: str) -> Rule:
        """This rule as the library writes it (eps placement, default values, ...). Raises UnknownNameError.

        >>> from optlab import rules
        >>> rules.get("rmsprop").dialect("torch").label()
        'rmsprop(eps_placement=outside, beta=0.99, eps=1e-08)'
        """
        if library not in self.dialects:
            raise UnknownNameError(f"dialect of {self.name}", library, self.dialects)
        entry = self.dialects[library]
        for dialect in spellings(entry)[:1]:
            spelled = self.with_(**dialect.chosen)
            numbers = {str(key): value for key, value in dialect.default_numbers().items() if key in spelled.parameters}
            return spelled.with_(**numbers)
        return self.with_(**entry)

    def _copy(self, **changes: Any) -> Rule:
        fields: dict[str, Any] = {
            "name": self.name, "equations": self.definition, "parameters": self.declared, "state": self.state,
            "gradient_at": self._gradient_at, "variants": self.variants, "dialects": self.dialects, "analysis": self.analysis,
            "summary": self.summary, "reference": self.reference, "bound": self.bound, "chosen": self.chosen,
        }  # fmt: skip
        return Rule(**(fields | changes))

    def extend(self, **changes: Any) -> Rule:
        """A new rule made from this one: the given fields replace this rule's (see ``adamw`` for an example)."""
        return self._copy(**({"bound": {}, "chosen": {}} | changes))

    def unbound(self) -> Rule:
        """This rule with every hyper-parameter a symbol again (the chosen variants stay)."""
        if self.bound and "_unbound" not in self.__dict__:
            self.__dict__["_unbound"] = self._copy(bound={})
        return self.__dict__.get("_unbound", self)

    def _options(self) -> dict[str, object]:
        default = {variant: next(iter(options)) for variant, options in self.variants.items()}
        return {key: value for key, value in self.chosen.items() if value != default[key]} | super()._options()

    def _identity(self) -> tuple[object, ...]:
        pairs = [item for pair in self.equations for item in pair]
        inits = [item for key, value in self.initial.items() for item in (key, value, self.state[key].kind)]
        return (*pairs, self.gradient_at, *inits, *self._numbers())

    @property
    def coordinate_states(self) -> tuple[sp.Symbol, ...]:
        """The states with one number per coordinate, in order (theta not among them)."""
        return tuple(key for key, record in self.state.items() if record.kind == "coordinate")

    @property
    def scalar_states(self) -> tuple[sp.Symbol, ...]:
        """The states shared by all coordinates, in order."""
        return tuple(key for key, record in self.state.items() if record.kind == "scalar")

    @property
    def state_now(self) -> dict[sp.Symbol, State]:
        """The states with their initial values under the chosen variants."""
        return {key: State(init=self.initial[key], kind=record.kind) for key, record in self.state.items()}

    def latex(self) -> str:
        """The equations as an aligned LaTeX block, printed from the expressions.

        >>> from optlab import rules
        >>> rules.get("sgd").latex()
        '\\\\begin{aligned}\\n\\\\theta &\\\\leftarrow \\\\theta - \\\\alpha g\\n\\\\end{aligned}'
        """
        rows = [f"{latex(left)} &\\leftarrow {latex(right)}" for left, right in self.equations]
        if self.gradient_at != theta:
            rows.insert(0, f"g &\\leftarrow \\nabla f\\left({latex(self.gradient_at)}\\right)")
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


class Schedule(ExportedSchedule, Parametrized):
    """A learning-rate schedule: ``alpha`` as an expression in the step number ``t``, counted from 0; ``dialects`` as of a rule.

    >>> from optlab import schedules
    >>> schedules.get("inverse_sqrt", a=0.1).at(3)
    1/20
    """

    def __init__(
        self,
        *,
        name: str,
        expression: Any,
        parameters: Mapping[sp.Symbol, Parameter | int | float | str | sp.Expr] | None = None,
        dialects: Mapping[str, Any] | None = None,
        summary: str = "",
        reference: str = "",
        bound: Mapping[sp.Symbol, sp.Expr] | None = None,
    ) -> None:
        self.name, self.summary, self.reference, self.dialects = name, summary, reference, dict(dialects or {})
        self.parameters, self.bound = _declared(parameters, Parameter, f"schedule {name}: parameters"), dict(bound or {})
        self.definition = _expression(expression, f"schedule {name}: the expression")
        self.expression: sp.Expr = self.definition.xreplace(self.bound)
        unknown = sorted(str(s) for s in self.expression.free_symbols - {time} - self.parameters.keys())
        if unknown:
            raise InputError(f"schedule {name} uses {', '.join(unknown)}, not declared as parameter (t is optlab.symbols.time)")

    def with_(self, **options: object) -> Schedule:
        """A copy with parameters bound by name."""
        return Schedule(
            name=self.name, expression=self.definition, parameters=self.parameters, dialects=self.dialects, summary=self.summary,
            reference=self.reference, bound=self.bound | self._check_values(options),
        )  # fmt: skip

    def at(self, step: int) -> sp.Expr:
        """The exact learning rate of one step (from 0)."""
        return self.expression.xreplace(self.values).xreplace({time: sp.Integer(step)})

    def latex(self) -> str:
        """The formula, printed from the expression."""
        return f"\\alpha_t = {latex(self.expression)}"

    def _identity(self) -> tuple[object, ...]:
        return (self.expression, *self._numbers())
