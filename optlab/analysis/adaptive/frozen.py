"""A rule with its preconditioner held fixed is linear: its transition matrix, stability limit and sharpness threshold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import sympy as sp

from optlab.analysis.adaptive.positivity import domain, nonnegative
from optlab.analysis.adaptive.update import compose, defaults, is_affine, settled, tidy
from optlab.analysis.linear import LinearForm, linear_form
from optlab.analysis.mode import Mode, analyze
from optlab.errors import NotLinearError, UnsupportedError
from optlab.expressions import Equations, Parameter, Rule
from optlab.statements import Statement
from optlab.symbols import alpha, g, lam, symbol, theta

COHEN = "Cohen, Ghorbani, Krishnan et al., Adaptive gradient methods at the edge of stability, arXiv:2207.14484, 2022"
ROOT = sp.Dummy("root", positive=True)  #: the scale less the part of it that stands beside the root


@dataclass(frozen=True)
class Frozen:
    """A rule whose scale is held at P.

    ``rule`` is the linear rule that remains (P its hyper-parameter, in [0, oo)); ``P`` maps each held symbol to the quantity it
    stands for, an expression in the rule's own symbols after the step; ``moving`` are the states that are not held (odd: they
    change sign with the gradient), ``equations`` the settled ones of the whole rule.
    """

    rule: Rule
    P: dict[sp.Symbol, sp.Expr]
    equations: Equations
    original: Rule

    @property
    def moving(self) -> tuple[sp.Symbol, ...]:
        return self.rule.coordinate_states

    @cached_property
    def held(self) -> tuple[sp.Symbol, ...]:
        """The states of the whole rule that do not move here: those of the scale (even: unchanged when the gradient flips)."""
        assigned = dict.fromkeys(left for left, _ in self.equations)
        return tuple(s for s in assigned if s in self.original.state and s not in self.rule.state)

    @cached_property
    def rule_by_root(self) -> Rule:
        """The linear rule with the scale written ``shift + ROOT``: no roots, so what is derived of it is derived quickly."""
        parameters = {key: value for key, value in self.rule.parameters.items() if key != self.held_at} | {
            ROOT: Parameter(within="(0, oo)")
        }
        put = {self.held_at: self.P_of(ROOT)}
        equations = tuple((left, right.xreplace(put)) for left, right in self.rule.equations)
        if any(power.has(ROOT) and power.exp.is_Rational and not power.exp.is_Integer for _, e in equations for power in e.atoms(sp.Pow)):
            raise UnsupportedError(f"rule {self.original.name}: written by its scale, it keeps a root")
        return self.rule.extend(
            parameters=parameters, equations=equations, gradient_at=self.rule.gradient_at.xreplace(put), bound=self.rule.bound
        )

    @cached_property
    def by_root(self) -> Mode:
        """What :func:`optlab.analyze` derives of that rule."""
        return analyze(self.rule_by_root)

    @cached_property
    def transition_matrix(self) -> sp.ImmutableMatrix:
        """One step of (theta, moving states) on lam/2 theta^2, in P."""
        return self.form.transition(lam)

    @cached_property
    def stability_limit(self) -> sp.Expr:
        """The learning rate below which the frozen rule is stable, in P."""
        return self.by_root.stability_limit.xreplace({ROOT: self.scale - self.shift})

    @cached_property
    def form(self) -> LinearForm:
        return linear_form(self.rule)

    @cached_property
    def gain(self) -> sp.Expr:
        """The step per unit of a steady gradient, over alpha: 1/sqrt(P + eps) for Adam."""
        A, b, k = self.form.A, self.form.b, len(self.form.states)
        rest = (sp.eye(k - 1) - A[1:, 1:]).LUsolve(b[1:, :]) if k > 1 else sp.zeros(0, 1)
        return tidy(-((A[:1, 1:] * rest)[0] + b[0] if k > 1 else b[0]) / alpha)

    @cached_property
    def flip(self) -> sp.Expr:
        """The curvature at which an eigenvalue is -1: det(I + A + lam b c) is of first degree in lam."""
        form, k = self.form, len(self.form.states)
        determinant = sp.Poly((sp.eye(k) + form.A + lam * form.b * form.c).det(method="laplace"), lam)
        if determinant.degree() != 1:
            raise UnsupportedError(f"rule {self.original.name}: no curvature gives the frozen rule an eigenvalue of -1")
        return tidy(-determinant.coeff_monomial(1) / determinant.coeff_monomial(lam))

    @cached_property
    def held_at(self) -> sp.Symbol:
        """The one P. Raises UnsupportedError for a rule with several scales."""
        if len(self.P) != 1:
            raise UnsupportedError(f"rule {self.original.name} holds {len(self.P)} quantities fixed; this is derived for one")
        return next(iter(self.P))

    @cached_property
    def scale(self) -> sp.Expr:
        """1/``gain``: what the step is divided by."""
        return sp.cancel(1 / self.gain)

    @cached_property
    def _inverse(self) -> tuple[sp.Expr, int, sp.Expr, sp.Expr]:
        """(shift, power, constant, slope) such that (scale - shift)**power is constant + slope P."""
        P, S = self.held_at, self.scale
        for shift in (sp.Integer(0), S.xreplace({P: sp.Integer(0)})):
            for power in (1, 2):
                value = sp.expand((S - shift) ** power)
                slope = sp.diff(value, P)
                if slope != 0 and not slope.has(P):
                    return shift, power, value.xreplace({P: sp.Integer(0)}), slope
        raise UnsupportedError(f"rule {self.original.name}: its scale {S} is not inverted for {P}")

    @property
    def shift(self) -> sp.Expr:
        """The part of the scale that stands beside the root: eps where it is outside, else 0."""
        return self._inverse[0]

    def P_of(self, root: sp.Expr) -> sp.Expr:  # noqa: N802
        """The P at which the scale is ``shift + root``: root**2 - eps where eps stands inside the root."""
        _, power, constant, slope = self._inverse
        return (root**power - constant) / slope

    @cached_property
    def critical_root(self) -> sp.Expr:
        """``critical_scale`` less ``shift``."""
        Q = sp.Dummy("Q", positive=True)
        at = sp.Poly(sp.numer(sp.together(self.flip.xreplace({self.held_at: self.P_of(Q)}) - lam)), Q)
        if at.degree() != 1:
            raise UnsupportedError(f"rule {self.original.name}: the curvature {self.flip} is not of first degree in the scale")
        return -at.coeff_monomial(1) / at.coeff_monomial(Q)

    @cached_property
    def critical_scale(self) -> sp.Expr:
        """The scale at which an eigenvalue is -1 for curvature lam; above it the frozen rule is stable."""
        return tidy(sp.together(self.critical_root + self.shift))

    @cached_property
    def never_falls(self) -> bool:
        """Whether what is held is proved never to decrease (a sum of squares, a running maximum)."""
        now, inside, meaning = compose(self.equations), domain(self.original), self.P[self.held_at]
        while meaning.is_Symbol and meaning not in self.held:  # vhat: what it is made of after the step
            meaning = dict(self.equations)[meaning]
        states = [s for s in self.held if meaning.has(s)]
        rising = [s for s in states if nonnegative(now[s] - s, inside)]
        return bool(states) and rising == states and all(nonnegative(sp.diff(meaning, s), inside) for s in states)

    @cached_property
    def threshold(self) -> sp.Expr:
        """The preconditioned sharpness (curvature times ``gain``) at which an eigenvalue is -1."""
        return tidy(self.flip * self.gain)


@lru_cache(maxsize=256)
def freeze(rule: Rule) -> Frozen:
    """The rule with its preconditioner held fixed: what ``rule.analysis["frozen"]`` names, else what is found not to be linear.

    Whatever the equations assign that is not of first degree in (theta, states, g), such as an average of g**2, a Max or an Abs,
    is held at P; sign(x) is x over Abs(x), held too. Raises UnsupportedError for a rule that is linear already, and
    NotLinearError where the update of theta stays nonlinear.

    >>> from optlab import rules
    >>> found = freeze(rules.get("adam"))
    >>> found.P, found.threshold
    ({P: vhat}, 2*(beta1 + 1)/(alpha*(1 - beta1)))
    """
    equations = settled(rule)
    named = rule.analysis.get("frozen", {})
    held: dict[sp.Symbol, sp.Symbol] = {}
    given = {key: sp.sympify(value) for key, value in dict(named).items()}
    sizes: dict[sp.Expr, sp.Symbol] = {}
    while True:
        attempt, stuck = _attempt(equations, rule, held, given, sizes)
        if stuck is None:
            break
        held[stuck] = sp.Dummy(f"P_{stuck}", nonnegative=True)
    live = _live(attempt, rule)
    attempt = tuple((left, right) for left, right in attempt if left in live)
    meaning = {held[s]: s for s in held} | {dummy: sp.Abs(e) for e, dummy in sizes.items()}
    meaning |= {p: key for key, value in given.items() for p in value.free_symbols - rule.parameters.keys() - rule.state.keys() - {alpha}}
    used = [p for p in meaning if any(right.has(p) for _, right in attempt) or rule.gradient_at.has(p)]
    if not used:
        raise UnsupportedError(f"rule {rule.name} has no preconditioner to hold fixed: optlab.analyze says what it does")
    names = [symbol("P")] if len(used) == 1 else [symbol(f"P{i + 1}") for i in range(len(used))]
    rename = dict(zip(used, names, strict=True))
    linear = Rule(
        name=f"{rule.name}_frozen",
        parameters={
            **rule.parameters,
            **{p: Parameter(within="[0, oo)", about=f"what {meaning[d]} is held at") for d, p in rename.items()},
        },
        state={s: rule.state[s] for s in rule.coordinate_states if s in live and s not in held and s not in given},
        equations=tuple((left, right.xreplace(rename)) for left, right in attempt),
        gradient_at=rule.gradient_at.xreplace(held).xreplace(rename),
        bound=rule.bound,
        summary=f"{rule.name} with its preconditioner held fixed",
    )
    linear_form(linear)  # refuses what is not linear
    return Frozen(linear, {p: meaning[d] for d, p in rename.items()}, equations, rule)


def _attempt(
    equations: Equations, rule: Rule, held: dict[sp.Symbol, sp.Symbol], given: dict[sp.Symbol, sp.Expr], sizes: dict[sp.Expr, sp.Symbol]
) -> tuple[Equations, sp.Symbol | None]:
    """The equations with what is held put in, and the first symbol whose equation is still not linear (None: all are)."""
    fixed = {**held, **given}
    moving = {theta, g, *rule.state} - fixed.keys()
    out = []
    for left, right in equations:
        if left in fixed:
            continue
        right = right.xreplace(fixed)
        for sign in right.atoms(sp.sign):
            inner = sign.args[0]
            if inner.free_symbols & moving:
                right = right.xreplace({sign: inner / sizes.setdefault(inner, sp.Dummy("P_size", nonnegative=True))})
        variables = tuple(sorted(moving & right.free_symbols, key=str))
        if not is_affine(right, variables):
            if left == theta:
                raise NotLinearError(
                    f"rule {rule.name}: theta becomes {right}, not linear with the preconditioner held; name it in analysis['frozen']"
                )
            return (), left
        if variables:
            moving.add(left)
        out.append((left, right))
    return tuple(out), None


def _live(equations: Equations, rule: Rule) -> set[sp.Symbol]:
    """The symbols that theta or the point of the gradient depends on."""
    needed = {theta} | (rule.gradient_at.free_symbols & rule.state.keys())
    while True:
        more = needed.union(*(right.free_symbols for left, right in equations if left in needed))
        if more == needed:
            return needed
        needed = more


def frozen_statements(rule: Rule) -> tuple[tuple[Statement, ...], dict[str, str]]:
    """Transition matrix, stability limit and the threshold on the preconditioned sharpness of the frozen rule."""
    reasons: dict[str, str] = {}
    f = freeze(rule)
    meaning = {p: f"what {e} is held at" for p, e in f.P.items()}
    out = [
        Statement(
            name="frozen_matrix", about="one step of (theta, states) on lam/2 theta^2 with the preconditioner held fixed",
            expression=f.transition_matrix, status="derived", symbols=meaning, how="the linear form of the rule with P put in",
            reference=COHEN,
        )
    ]  # fmt: skip
    try:
        limit = f.stability_limit
    except UnsupportedError as error:
        reasons["frozen_stability_limit"], limit = str(error), None
    if limit is not None:
        out.append(
        Statement(
            name="frozen_stability_limit", about="the learning rate below which the frozen rule is stable", expression=limit,
            status="derived", symbols=meaning, how="Jury's conditions on the characteristic polynomial", reference=COHEN,
        )
    )  # fmt: skip
    at = None if limit is None else sp.together(limit.xreplace({lam: f.flip}) - alpha)
    first = at is not None and (sp.cancel(at) == 0 or sp.simplify(at) == 0)
    out.append(
        Statement(
            name="sharpness_threshold", about=f"stable while lam*{f.gain}, the preconditioned sharpness, is below this",
            expression=f.threshold, status="derived",
            how="det(I + M) = 0 solved for lam, where an eigenvalue leaves through -1"
            + ("; put into the stability limit it gives alpha back" if first else ""), reference=COHEN,
        )
    )  # fmt: skip
    if (number := defaults(rule, f.threshold)) != f.threshold:
        out.append(
            Statement(
                name="sharpness_threshold_default", about="the same at the rule's own numbers", expression=number,
                status="derived", how="numbers put in", reference=COHEN,
            )
        )  # fmt: skip
    return tuple(out), reasons
