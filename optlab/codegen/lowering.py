"""Splitting a rule by when its parts can be computed.

======== ============================================ ===========================================
level    depends on                                   computed
======== ============================================ ===========================================
constant hyper-parameters only                        once, exactly, before rounding (``1 - beta``)
step     alpha, t, scalar states                      once per step, in float64, for all runs
update   theta, g, coordinate states                  per coordinate and run, in working precision
======== ============================================ ===========================================

``1 - b**t`` and ``b**t`` become quantities carried from step to step (``c <- b c + (1 - b)``), which keeps full
relative accuracy where ``b**t`` in floating point does not, and costs one multiply-add.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp

from optlab.errors import InputError
from optlab.expressions import Equations, Rule
from optlab.symbols import alpha, g, t, theta

CONSTANT, STEP, UPDATE = 0, 1, 2


@dataclass
class Lowered:
    """A rule split by level. Symbols are single-assignment within each part."""

    rule: Rule
    constants: dict[sp.Expr, sp.Symbol] = field(default_factory=dict)  #: exact expression -> its symbol
    carried: dict[sp.Symbol, sp.Expr] = field(default_factory=dict)  #: scalar -> value before the first step
    program: list[tuple[sp.Symbol, sp.Expr]] = field(default_factory=list)  #: the step-level assignments, in order
    carried_next: dict[sp.Symbol, sp.Symbol] = field(default_factory=dict)
    step_values: list[sp.Symbol] = field(default_factory=list)  #: step-level symbols that the update reads
    update: list[tuple[sp.Symbol, sp.Expr]] = field(default_factory=list)
    results: list[sp.Expr] = field(default_factory=list)  #: new theta, then each new coordinate state
    point: sp.Expr = theta  #: where the gradient is taken

    @property
    def states(self) -> tuple[sp.Symbol, ...]:
        return (theta, *self.rule.coordinate_states)

    def constant_values(self, rule: Rule) -> list[sp.Expr]:
        """The exact value of each constant under the bound or default parameters of ``rule``."""
        values = rule.values
        return [expression.xreplace(values) for expression in self.constants]


def lower(rule: Rule) -> Lowered:
    """Split a rule whose hyper-parameters are all symbols, so that one kernel serves every value of them."""
    return _Lowering(rule).run()


class _Lowering:
    def __init__(self, rule: Rule) -> None:
        if rule.bound:
            raise InputError(f"rule {rule.label()} has bound values: lower rule.unbound(), which serves them all")
        self.out = Lowered(rule)
        self.source = rule
        assigned = {left for left, _ in rule.equations}
        self.taken = {s.name for s in {theta, g, alpha, t} | rule.parameters.keys() | rule.state.keys() | assigned}
        self.level: dict[sp.Symbol, int] = dict.fromkeys(rule.parameters, CONSTANT)
        self.level |= {alpha: STEP, t: STEP} | dict.fromkeys(rule.scalar_states, STEP)
        self.current: dict[sp.Symbol, sp.Expr] = {}  # a symbol of the rule -> the expression that now stands for it
        self.hoisted: dict[sp.Expr, sp.Symbol] = {}

    def run(self) -> Lowered:
        out = self.out
        for key in out.rule.scalar_states:
            out.carried[key] = self.source.initial[key]
        equations = self._carry_powers(self.source.equations)
        out.point = self._split(self.source.gradient_at)
        for left, right in equations:
            self._assign(left, right)
        out.results = [sp.sympify(self.current[key]) for key in out.states]
        read = set().union(out.point.free_symbols, *(e.free_symbols for _, e in out.update), *(e.free_symbols for e in out.results))
        out.step_values = sorted((s for s in read if self.level.get(s) == STEP), key=lambda s: s.name)
        return out

    def _carry_powers(self, equations: Equations) -> Equations:
        """Replace 1 - b**t and b**t (b of hyper-parameters only) by carried scalars."""
        out = self.out
        bases = sorted(
            {p.base for _, e in equations for p in e.atoms(sp.Pow) if p.exp == t and self._level(p.base) == CONSTANT},
            key=sp.default_sort_key,
        )
        for number, base in enumerate(bases):
            complement, power = self._fresh(f"complement{number}"), self._fresh(f"power_{number}")
            equations = tuple((left, e.replace(1 - base**t, complement)) for left, e in equations)
            equations = tuple((left, e.replace(base**t, power)) for left, e in equations)
            used = set().union(*(e.free_symbols for _, e in equations))
            for carried, start, following in ((complement, 0, base * complement + (1 - base)), (power, 1, base * power)):
                if carried in used:
                    self.level[carried] = STEP
                    out.carried[carried] = sp.Integer(start)
                    self._assign(carried, following)
        return equations

    def _assign(self, left: sp.Symbol, right: sp.Expr) -> None:
        expression = self._split(right)
        level = self._level(expression)
        if left in self.out.carried:
            if level == UPDATE:
                raise InputError(f"rule {self.source.name}: the scalar state {left} depends on theta, g or a coordinate state")
            self.out.carried_next[left] = self._new(left, expression, self.out.program, STEP)
        elif level <= STEP and left not in self.out.states:
            self.current[left] = expression
            self.level[left] = level
        else:
            self._new(left, expression, self.out.update, UPDATE)

    def _new(self, left: sp.Symbol, expression: sp.Expr, target: list[tuple[sp.Symbol, sp.Expr]], level: int) -> sp.Symbol:
        name = self._fresh(f"{left}_new")
        target.append((name, expression))
        self.level[name] = level
        self.current[left] = name
        return name

    def _fresh(self, name: str) -> sp.Symbol:
        """A symbol of this name, or of one like it that the rule does not use."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return sp.Symbol(name, real=True)

    def _level(self, expression: sp.Basic) -> int:
        return max((self.level.get(s, UPDATE) for s in expression.free_symbols), default=CONSTANT)

    def _split(self, expression: sp.Expr) -> sp.Expr:
        return self._hoist(expression.xreplace(self.current))

    def _hoist(self, e: sp.Basic) -> sp.Basic:
        """Replace the largest constant and step-level parts of the expression by symbols."""
        if isinstance(e, (sp.Number, sp.NumberSymbol)) or not isinstance(e, sp.Basic):
            return e
        level = self._level(e)
        if not e.free_symbols or (e.is_Symbol and level == UPDATE):
            return e
        if level == CONSTANT and isinstance(e, sp.Expr):
            return self._constant(e)
        if level == STEP and isinstance(e, sp.Expr):
            return self._step(e)
        if isinstance(e, (sp.Add, sp.Mul)):
            early = [a for a in e.args if self._level(a) < UPDATE]
            late = [self._hoist(a) for a in e.args if self._level(a) == UPDATE]
            together = e.func(*early)
            if early and together.free_symbols:
                together = self._hoist(together)
            return e.func(together, *late)
        return e.func(*(self._hoist(a) for a in e.args))

    def _constant(self, e: sp.Expr) -> sp.Symbol:
        if e not in self.out.constants:
            name = e if e.is_Symbol else self._fresh(f"k{len(self.out.constants)}")
            self.out.constants[e] = name
            self.level[name] = CONSTANT
        return self.out.constants[e]

    def _step(self, e: sp.Expr) -> sp.Symbol:
        inner = self._hoist_constants(e)
        if inner not in self.hoisted:
            if inner.is_Symbol and inner not in (alpha, t):
                name = inner
            else:
                name = self._fresh(f"s{len(self.hoisted)}")
                self.out.program.append((name, inner))
                self.level[name] = STEP
            self.hoisted[inner] = name
        return self.hoisted[inner]

    def _hoist_constants(self, e: sp.Basic) -> sp.Basic:
        if not e.free_symbols:
            return e
        if self._level(e) == CONSTANT and isinstance(e, sp.Expr) and all(s in self.out.rule.parameters for s in e.free_symbols):
            return self._constant(e)
        if isinstance(e, (sp.Add, sp.Mul)):
            fixed = [a for a in e.args if a.free_symbols and self._level(a) == CONSTANT]
            if fixed:
                numbers = [a for a in e.args if not a.free_symbols]
                rest = [a for a in e.args if a.free_symbols and self._level(a) != CONSTANT]
                return e.func(self._hoist_constants(e.func(*numbers, *fixed)), *(self._hoist_constants(a) for a in rest))
        if not e.args:
            return e
        return e.func(*(self._hoist_constants(a) for a in e.args))
