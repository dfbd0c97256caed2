"""What a linear rule does on one eigen-direction ``f = lam/2 theta^2`` with gradient noise of variance ``s2``."""

from __future__ import annotations

import contextlib
from functools import cached_property, lru_cache

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from optlab import rules
from optlab.analysis.linear import LinearForm, linear_form
from optlab.errors import UnsupportedError
from optlab.expressions import Rule
from optlab.symbols import alpha, lam, s2, z


class Mode:
    """The behavior of a linear rule along one eigen-direction, as SymPy objects in alpha, lam, s2 and unbound hyper-parameters."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.form: LinearForm = linear_form(rule).steady()

    @cached_property
    def transition_matrix(self) -> sp.ImmutableMatrix:
        """The matrix of one step of (theta, states...) without noise."""
        return self.form.transition(lam)

    @cached_property
    def characteristic_polynomial(self) -> sp.Poly:
        """det(z I - M) as a polynomial in z."""
        return sp.Poly(self.transition_matrix.charpoly(z.name).as_expr().xreplace({sp.Symbol(z.name): z}), z)

    @cached_property
    def stability_conditions(self) -> tuple[sp.Expr, ...]:
        """Expressions that are all positive exactly when both roots lie inside the unit circle (Jury's conditions)."""
        p = self.characteristic_polynomial
        n, at = p.degree(), lambda value: sp.expand(p.eval(value))
        if n > 2:
            raise UnsupportedError(f"rule {self.rule.name} has {n} states: stability is derived for one and two")
        first = (at(1), sp.expand((-1) ** n * at(-1)))
        constant = p.all_coeffs()[-1]
        return first if n == 1 else (*first, sp.expand(1 - constant), sp.expand(1 + constant))

    @cached_property
    def stable_set(self) -> sp.Set:
        """The learning rates alpha > 0 for which the noiseless iteration converges.

        Every condition that is linear in alpha bounds it on one side, so the set is one interval.
        """
        lower: list[sp.Expr] = []
        upper: list[sp.Expr] = []
        for condition in self.stability_conditions:
            poly = sp.Poly(condition, alpha)
            if poly.degree() > 1:
                raise UnsupportedError(f"rule {self.rule.name}: the stability condition {condition} > 0 is not linear in alpha")
            slope, value = (poly.coeff_monomial(alpha), poly.coeff_monomial(1))
            direction = self._sign(slope)
            if direction == 0:
                if self._sign(value) <= 0:
                    return sp.S.EmptySet
                continue
            root = sp.factor(-value / slope)
            sign = self._sign(root)
            if direction < 0:
                if sign <= 0:
                    return sp.S.EmptySet
                upper.append(root)
            elif sign > 0:
                lower.append(root)
        return sp.Interval.open(sp.Max(0, *lower), sp.Min(sp.oo, *(self._tidy(root) for root in self._least(upper))))

    @property
    def stability_limit(self) -> sp.Expr:
        """The end of the stable interval that starts at alpha = 0 (0 if there is none)."""
        stable = self.stable_set
        return stable.end if isinstance(stable, sp.Interval) and stable.start == 0 else sp.Integer(0)

    def _least(self, bounds: list[sp.Expr]) -> list[sp.Expr]:
        """The bounds without those that another one never exceeds."""
        kept: list[sp.Expr] = []
        for bound in dict.fromkeys(bounds):
            if not any(self._never_above(other, bound) for other in kept):
                kept = [other for other in kept if not self._never_above(bound, other)] + [bound]
        return kept

    def _never_above(self, a: sp.Expr, b: sp.Expr) -> bool:
        try:
            return self._sign(a - b) <= 0
        except UnsupportedError:
            return False

    def _tidy(self, expression: sp.Expr) -> sp.Expr:
        """The same fraction with each factor positive at small alpha: 2/(lam (1 - beta)), not -2/(lam (beta - 1))."""
        parts = []
        sign = 1
        for part in sp.fraction(sp.factor(expression)):
            factors = []
            for factor in sp.Mul.make_args(part):
                base, exponent = factor.as_base_exp()
                if base.is_Add and exponent.is_odd:
                    with contextlib.suppress(UnsupportedError):
                        if self._sign(base.subs(alpha, 0)) < 0:
                            factor, sign = sp.expand(-base) ** exponent, -sign
                factors.append(factor)
            parts.append(sp.Mul(*factors))
        return sp.factor_terms(sign * parts[0] / parts[1])

    def _sign(self, expression: sp.Expr) -> int:
        """The sign over the hyper-parameters' domain: proved by SymPy where it can be, else the same at every sampled point."""
        e = sp.factor(sp.sympify(expression))
        inside = {}
        for parameter, record in self.rule.parameters.items():
            if parameter in e.free_symbols and record.within in ("[0, 1)", "(0, 1)"):
                u = sp.Symbol(f"u_{parameter}", nonnegative=record.within[0] == "[", positive=True if record.within[0] == "(" else None)
                inside[parameter] = u / (1 + u)  # every point of [0, 1), and no Abs(beta - 1)
        proved = sp.factor(sp.together(e.xreplace(inside)))
        for test, sign in ((proved.is_positive, 1), (proved.is_negative, -1), (proved.is_zero, 0)):
            if test:
                return sign
        values = {self._sample(e, point) for point in range(23)}
        if len(values) != 1:
            raise UnsupportedError(f"rule {self.rule.name}: the sign of {e} depends on the hyper-parameters; bind them with with_()")
        return values.pop()

    def _sample(self, e: sp.Expr, point: int) -> int:
        chosen = {}
        for number, s in enumerate(sorted(e.free_symbols, key=str)):
            part = sp.Rational(2 * ((7 * point + 11 * number) % 23) + 1, 46)
            bounded = s in self.rule.parameters and self.rule.parameters[s].domain.sup.is_finite
            chosen[s] = part if bounded else part / (1 - part)
        return int(sp.sign(e.xreplace(chosen)))

    @cached_property
    def spectral_radius(self) -> sp.Expr:
        """The largest modulus of an eigenvalue of the transition matrix: the factor that an error shrinks by per step."""
        coefficients = self.characteristic_polynomial.all_coeffs()
        if len(coefficients) == 2:
            return sp.Abs(coefficients[1])
        if len(coefficients) > 3:
            raise UnsupportedError(
                f"rule {self.rule.name} has {len(coefficients) - 1} states: the radius has a closed form for one and two"
            )
        trace, determinant = sp.factor(-coefficients[1]), sp.factor(coefficients[2])
        discriminant = sp.factor(trace**2 - 4 * determinant)
        return sp.Piecewise((sp.sqrt(determinant), discriminant < 0), ((sp.Abs(trace) + sp.sqrt(discriminant)) / 2, True))

    @cached_property
    def stationary_covariance(self) -> sp.ImmutableMatrix:
        """The covariance P = M P M' + s2 b b' that the noisy iteration settles to, where it is stable."""
        M, k = self.transition_matrix, len(self.form.states)
        pairs = [(i, j) for i in range(k) for j in range(i, k)]
        place = {pair: n for n, pair in enumerate(pairs)} | {(j, i): n for n, (i, j) in enumerate(pairs)}
        system = sp.zeros(len(pairs), len(pairs))
        right = sp.zeros(len(pairs), 1)
        for row, (i, j) in enumerate(pairs):
            system[row, row] += 1
            right[row] = s2 * self.form.b[i] * self.form.b[j]
            for p in range(k):
                for q in range(k):
                    system[row, place[p, q]] -= M[i, p] * M[j, q]
        both = DomainMatrix.from_Matrix(system.row_join(right).applyfunc(sp.expand)).to_field()
        solution = both[:, : len(pairs)].lu_solve(both[:, len(pairs) :]).to_Matrix()
        return sp.ImmutableMatrix(k, k, lambda i, j: self._tidy(solution[place[i, j]]))

    @property
    def stationary_variance(self) -> sp.Expr:
        """The variance of theta that constant steps settle to; the expected loss floor is lam/2 times it."""
        return self.stationary_covariance[0, 0]

    def items(self) -> dict[str, sp.Basic]:
        """Every derived quantity by name (those that this rule has)."""
        out: dict[str, sp.Basic] = {}
        names = "transition_matrix characteristic_polynomial stable_set stability_limit spectral_radius stationary_variance"
        for name in names.split():
            try:
                value = getattr(self, name)
            except UnsupportedError:
                continue
            out[name] = value.as_expr() if isinstance(value, sp.Poly) else value
        return out

    def __repr__(self) -> str:
        return f"<mode of {self.rule.label()} on f = lam/2 theta^2>"


@lru_cache(maxsize=256)
def _mode(rule: Rule) -> Mode:
    return Mode(rule)


def analyze(rule: Rule | str) -> Mode:
    """Derive what a linear rule does on one eigen-direction ``f = lam/2 theta^2`` with gradient noise of variance ``s2``.

    Bound hyper-parameters are numbers in the result; the others stay symbols. Source: the linear-systems view of
    Polyak (1964) and Lessard, Recht & Packard (SIAM J. Optim. 26(1), 2016); stability by Jury's conditions.

    Raises NotLinearError for a rule whose update is not linear in its state and gradient.

    >>> import optlab as ol
    >>> ol.analyze("momentum").stability_limit
    2*(beta + 1)/lam
    >>> ol.analyze("sgd").stationary_variance
    alpha*s2/(lam*(-alpha*lam + 2))
    """
    return _mode(rules.get(rule))
