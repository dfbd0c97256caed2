"""What a linear rule does on one eigen-direction ``f = lam/2 theta^2`` with gradient noise of variance ``s2``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from optlab import rules
from optlab.analysis.fractions import lowest, sign_by_terms, spanned
from optlab.analysis.kept import Kept
from optlab.analysis.linear import LinearForm, linear_form
from optlab.analysis.stability import LARGEST, by_product, jury_conditions, positive_set
from optlab.errors import InputError, UnsupportedError
from optlab.expressions import Rule, exact
from optlab.symbols import alpha, lam, s2, symbol, z

if TYPE_CHECKING:
    from optlab.analysis.optimal import Optimal

T = TypeVar("T")
B, sigma = symbol("B"), symbol("sigma")


#: What ``items()`` gives, in order.
QUANTITIES = (
    "transition_matrix", "characteristic_polynomial", "stable_set", "stability_limit", "spectral_radius", "stationary_variance",
    "noise_floor",
)  # fmt: skip


def kept(derive: Callable[[Any], T]) -> cached_property[T]:
    """A derived quantity: computed once in a process, and read from disk where an earlier process kept it."""

    def value(self: Mode) -> T:
        return self.kept.get(derive.__name__, lambda: derive(self))

    value.__doc__ = derive.__doc__
    return cached_property(value)


class Mode:
    """The behavior of a linear rule along one eigen-direction, as SymPy objects in alpha, lam, s2 and unbound hyper-parameters.

    ``curvature`` is lam, or a positive number that stands in its place.
    """

    def __init__(self, rule: Rule, curvature: sp.Expr = lam) -> None:
        self.rule, self.curvature = rule, curvature
        self.kept = Kept("mode", rule.fingerprint, rule.name, str(curvature))
        self._signs: dict[sp.Expr, int] = {}

    @cached_property
    def form(self) -> LinearForm:
        """The update as ``s' = A s + b g`` with g taken at ``c . s``, as it is for large t."""
        return linear_form(self.rule).steady()

    @kept
    def transition_matrix(self) -> sp.ImmutableMatrix:
        """The matrix of one step of (theta, states...) without noise."""
        return self.form.transition(self.curvature)

    @kept
    def _coefficients(self) -> tuple[sp.Expr, ...]:
        return tuple(self.transition_matrix.charpoly(z.name).all_coeffs())

    @cached_property
    def characteristic_polynomial(self) -> sp.Poly:
        """det(z I - M) as a polynomial in z."""
        return sp.Poly(list(self._coefficients), z)

    @kept
    def stability_conditions(self) -> tuple[sp.Expr, ...]:
        """Expressions that are all positive exactly when every root lies inside the unit circle (Jury's conditions)."""
        n = len(self._coefficients) - 1
        if n > LARGEST:
            raise UnsupportedError(f"rule {self.rule.name} has {n} states: stability is derived for up to {LARGEST}")
        return jury_conditions(self._coefficients)

    @kept
    def stable_set(self) -> sp.Set:
        """The learning rates alpha > 0 for which the noiseless iteration converges.

        Where every condition is linear in alpha each bounds it on one side, and the set is one interval, for any
        hyper-parameters. Else the hyper-parameters must be bound, and the set is a union of intervals between roots.
        """
        conditions = self.stability_conditions
        if all(sp.degree(condition, alpha) <= 1 for condition in conditions):
            return self._between_linear(conditions)
        fixed = not any(condition.has(lam) for condition in conditions)  # the curvature is a number, or does not matter
        scaled = list(conditions) if fixed else by_product(conditions)
        if scaled is None:
            raise UnsupportedError(
                f"rule {self.rule.name}: stability is not a matter of alpha*lam alone; give the curvature, analyze(rule, curvature=1)"
            )
        free = sorted(str(s) for s in set().union(*(condition.free_symbols for condition in scaled)) - {alpha})
        if free:
            raise UnsupportedError(
                f"rule {self.rule.name}: the stability conditions are not linear in alpha; bind {', '.join(free)} with with_() for the set"
            )
        found = positive_set(scaled, alpha)
        return found if fixed else _divided(found, lam)

    def _between_linear(self, conditions: tuple[sp.Expr, ...]) -> sp.Set:
        lower: list[sp.Expr] = []
        upper: list[sp.Expr] = []
        for condition in conditions:
            poly = sp.Poly(condition, alpha)
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
        """The end of the component of the stable set that starts at alpha = 0 (0 if there is none)."""
        stable = self.stable_set
        pieces = stable.args if isinstance(stable, sp.Union) else (stable,)
        return next((piece.end for piece in pieces if isinstance(piece, sp.Interval) and piece.start == 0), sp.Integer(0))

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
        """The sign over the hyper-parameters' domain: proved by its terms where it can be, else the same at every sampled point."""
        known = self._signs.get(expression)
        if known is None:
            known = self._signs[expression] = self._find_sign(expression)
        return known

    def _find_sign(self, expression: sp.Expr) -> int:
        inside = {}
        for parameter, record in self.rule.parameters.items():
            if parameter in expression.free_symbols and record.within in ("[0, 1)", "(0, 1)", "[0, oo)", "(0, oo)"):
                u = sp.Symbol(f"u_{parameter}", nonnegative=True, positive=True if record.within[0] == "(" else None)
                inside[parameter] = spanned(record.domain, u)  # every point of the range, and no Abs(beta - 1)
        if sign := sign_by_terms(expression.xreplace(inside), strictly=True):
            return sign
        found = self._sample(expression, 0)
        if any(self._sample(expression, point) != found for point in range(1, 23)):
            raise UnsupportedError(
                f"rule {self.rule.name}: the sign of {sp.factor(expression)} depends on the hyper-parameters; bind them with with_()"
            )
        return found

    def _sample(self, e: sp.Expr, point: int) -> int:
        chosen = {}
        for number, s in enumerate(sorted(e.free_symbols, key=str)):
            part = sp.Rational(2 * ((7 * point + 11 * number) % 23) + 1, 46)
            bounded = s in self.rule.parameters and self.rule.parameters[s].domain.sup.is_finite
            chosen[s] = part if bounded else part / (1 - part)
        return int(sp.sign(e.xreplace(chosen)))

    @kept
    def spectral_radius(self) -> sp.Expr:
        """The largest modulus of an eigenvalue of the transition matrix: the factor that an error shrinks by per step.

        A closed form wherever the characteristic polynomial has factors of degree one and two only.
        """
        moduli = []
        for factor, _ in sp.factor_list(self.characteristic_polynomial.as_expr(), z)[1]:
            poly = sp.Poly(factor, z)
            leading, *rest = poly.all_coeffs()
            coefficients = [sp.factor(c / leading) for c in rest]
            if len(coefficients) > 2:
                raise UnsupportedError(
                    f"rule {self.rule.name}: its characteristic polynomial has a factor of degree {len(coefficients)}, "
                    "and the radius has a closed form for one and two"
                )
            if len(coefficients) == 1:
                moduli.append(sp.Abs(coefficients[0]))
                continue
            trace, determinant = sp.factor(-coefficients[0]), coefficients[1]
            discriminant = sp.factor(trace**2 - 4 * determinant)
            moduli.append(sp.Piecewise((sp.sqrt(determinant), discriminant < 0), ((sp.Abs(trace) + sp.sqrt(discriminant)) / 2, True)))
        return moduli[0] if len(moduli) == 1 else sp.Max(*moduli)

    @kept
    def stationary_covariance(self) -> sp.ImmutableMatrix:
        """The covariance P = M P M' + s2 b b' that the noisy iteration settles to, where it is stable."""
        entry = self._covariance
        k = self.transition_matrix.rows
        return sp.ImmutableMatrix(k, k, lambda i, j: self._tidy(entry(min(i, j), max(i, j))))

    @cached_property
    def _covariance(self) -> Callable[[int, int], sp.Expr]:
        """The entry (i, j), i <= j, of the symmetric solution of P = M P M' + s2 b b', by elimination on its upper triangle."""
        source = s2 * self.form.b * self.form.b.T
        M, k = self.transition_matrix, self.transition_matrix.rows
        pairs = [(i, j) for i in range(k) for j in range(i, k)]
        place = {pair: n for n, pair in enumerate(pairs)} | {(j, i): n for n, (i, j) in enumerate(pairs)}
        system = sp.zeros(len(pairs), len(pairs))
        right = sp.zeros(len(pairs), 1)
        for row, (i, j) in enumerate(pairs):
            system[row, row] += 1
            right[row] = source[i, j]
            for p in range(k):
                for q in range(k):
                    system[row, place[p, q]] -= M[i, p] * M[j, q]
        both = DomainMatrix.from_Matrix(system.row_join(right).applyfunc(sp.expand)).to_field()
        _, both = both.clear_denoms_rowwise(convert=True)  # polynomials: elimination without fractions is quicker
        above, below = both[:, : len(pairs)].solve_den(both[:, len(pairs) :])
        ring = above.domain
        return lambda i, j: lowest(ring.to_sympy(above[place[i, j], 0].element) / ring.to_sympy(below))

    @kept
    def stationary_variance(self) -> sp.Expr:
        """The variance of theta that constant steps settle to; the expected loss floor is lam/2 times it."""
        return self._tidy(self._covariance(0, 0))

    @property
    def noise_floor(self) -> sp.Expr:
        """The expected loss lam/2 E theta^2 that constant steps settle to under batches of B with noise sigma per sample: O(1/B)."""
        return sp.factor_terms(self.curvature / 2 * self.stationary_variance.subs(s2, sigma**2 / B))

    def optimal(self, *, mu: object = None, L: object = None, condition_number: object = None, certify: bool = True) -> Optimal:
        """The learning rate and hyper-parameters that minimize the worst spectral radius over curvatures in [mu, L], with a certificate.

        Parameters
        ----------
        mu, L
            Exact numbers 0 < mu <= L; or ``condition_number`` >= 1 for mu = 1. None of them: symbols, and closed forms in
            mu, L and kappa = L/mu.
        certify
            Verify the result: equations by algebra, multipliers and a grid at several condition numbers.

        Returns
        -------
        Optimal
            Its ``status`` says what kind of answer it is (see :data:`optlab.analysis.optimal.STATUSES`); every hyper-parameter
            that is not bound is tuned, and is an attribute by its name.

        Raises InputError unless 0 < mu <= L; UnsupportedError for more than four states, or for symbols where the characteristic
        polynomial depends on alpha and lam otherwise than by alpha*lam.

        >>> import optlab as ol
        >>> tuned = ol.analyze("nesterov").optimal()
        >>> tuned.alpha, tuned.certificate.holds
        (4/(3*L + mu), True)
        """
        from optlab.analysis.optimal import pack, read_spectrum, unpack

        def derive() -> dict[str, Any]:
            from optlab.analysis.minimax import derive

            return pack(derive(self.rule, numbers, certify))

        numbers = read_spectrum(mu, L, condition_number)
        if self.curvature != lam:
            raise InputError(f"{self!r} has a curvature of its own: analyze the rule without curvature= to tune it over [mu, L]")
        spectrum = "" if numbers is None else f" {numbers[0]} {numbers[1]}"
        return unpack(self.rule, self.kept.get(f"optimal{spectrum}{'' if certify else ' unverified'}", derive))

    @cached_property
    def _derived(self) -> tuple[dict[str, sp.Basic], dict[str, str]]:
        out: dict[str, sp.Basic] = {}
        reasons: dict[str, str] = {}
        for name in QUANTITIES:
            if name == "stability_limit" and "stable_set" in reasons:  # it is the set's end
                continue
            try:
                value = getattr(self, name)
            except UnsupportedError as error:
                reasons[name] = str(error)
            else:
                out[name] = value.as_expr() if isinstance(value, sp.Poly) else value
        return out, reasons

    def items(self) -> dict[str, sp.Basic]:
        """Every derived quantity by name (those that this rule has)."""
        return dict(self._derived[0])

    @property
    def reasons(self) -> dict[str, str]:
        """Why a quantity is missing among ``items()``, by its name."""
        return dict(self._derived[1])

    def __repr__(self) -> str:
        return f"<mode of {self.rule.label()} on f = {self.curvature}/2 theta^2>"


def _divided(stable: sp.Set, by: sp.Expr) -> sp.Set:
    """Every interval end divided by a positive symbol."""
    pieces = stable.args if isinstance(stable, sp.Union) else (stable,)
    return sp.Union(*(sp.Interval.open(piece.start / by, piece.end / by) if isinstance(piece, sp.Interval) else piece for piece in pieces))


def flat(rule: Rule) -> Mode:
    """The mode of a direction without curvature, lam = 0: gradients are noise alone, and only decay holds theta back."""
    return Mode(rule, sp.Integer(0))


@lru_cache(maxsize=256)
def _mode(rule: Rule, curvature: sp.Expr) -> Mode:
    mode = Mode(rule, curvature)
    mode.kept.get("states", lambda: len(linear_form(rule).states))  # raises for a rule that is not linear
    return mode


def analyze(rule: Rule | str, *, curvature: object = None) -> Mode:
    """Derive what a linear rule does on one eigen-direction ``f = lam/2 theta^2`` with gradient noise of variance ``s2``.

    Bound hyper-parameters are numbers in the result; the others stay symbols. ``curvature`` puts a number in the place of lam.
    Source: the linear-systems view of Polyak (1964) and Lessard, Recht & Packard (SIAM J. Optim. 26(1), 2016); stability by
    Jury's conditions for up to four states.

    Raises NotLinearError for a rule whose update is not linear in its state and gradient.

    >>> import optlab as ol
    >>> ol.analyze("momentum").stability_limit
    2*(beta + 1)/lam
    >>> ol.analyze("sgd").stationary_variance
    alpha*s2/(lam*(-alpha*lam + 2))
    """
    value = lam if curvature is None else exact(curvature, "curvature")
    if value != lam and value <= 0:
        raise InputError(f"curvature = {value} must be positive: the eigen-direction is f = curvature/2 theta^2")
    return _mode(rules.get(rule), value)
