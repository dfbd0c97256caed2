"""The backward pass of a normalization layer, derived from its record.

With y = f(x, r_1 .. r_k) and r_j = mean(h_j(x, r_1 .. r_{j-1})), the reverse chain rule gives, for s_j = (dL/dr_j) / n,
s_j = mean(dy df/dr_j + sum_{l>j} s_l dh_l/dr_j), and dx = dy df/dx + sum_j s_j dh_j/dx. Written in xhat and sigma, what is the
same for all elements of a group is taken out of each mean, and the powers of xhat have the means that the reductions give them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from optlab import norms
from optlab.analysis.kept import Kept
from optlab.errors import UnsupportedError
from optlab.norms.record import Norm, sigma, x, xhat
from optlab.symbols import symbol

dy = symbol("dy")  #: the loss's derivative by the output, of one element
dx = symbol("dx")  #: the loss's derivative by the input, of one element


@dataclass(frozen=True)
class Backward:
    """A backward pass: means over each group first, in order, then scalar maps of each element.

    ``reductions`` holds (symbol, integrand), each the mean of its integrand over the axes ``norm.reduced``; ``input_gradient`` is
    dx. Both are in ``xhat`` and ``sigma`` (the norm's ``normalized`` and ``scale``), ``dy``, the parameters and, where they do not
    cancel, the norm's own reductions.
    ``parameter_gradients`` gives each parameter's integrand and, in words, the axes that it is summed over. ``adjoints`` are the
    s_j (see the module) in those means: the derivative of the loss by each of the norm's reductions, over n.
    """

    norm: Norm
    reductions: tuple[tuple[sp.Symbol, sp.Expr], ...]
    input_gradient: sp.Expr
    parameter_gradients: dict[sp.Symbol, tuple[sp.Expr, str]]
    adjoints: dict[sp.Symbol, sp.Expr]


class Means:
    """Means over a group, of expressions in dy, xhat and the varying parameters.

    Powers of xhat alone have the means in ``moments``; any other new integrand is met with a new symbol, kept in ``found``.
    """

    def __init__(self, norm: Norm) -> None:
        self.norm = norm
        self.found: dict[sp.Expr, sp.Symbol] = {}
        last = norm.reductions[-1][0]
        line = sp.Poly(norm.normalized - xhat, x)
        self._into: dict[sp.Symbol, sp.Expr] = {x: sp.expand(-line.coeff_monomial(1) / line.coeff_monomial(x))}
        square = sp.expand(norm.scale**2 - sigma**2)
        if not square.is_polynomial(last) or sp.degree(square, last) != 1:
            raise UnsupportedError(f"norm {norm.name}: scale = {norm.scale} must be the square root of a linear expression in {last}")
        self._last: dict[sp.Symbol, sp.Expr] = {last: sp.expand(-square.coeff(last, 0) / square.coeff(last, 1))}
        self.moments: dict[int, sp.Expr] = {0: sp.Integer(1)}
        for left, integrand in norm.reductions:  # each reduction is an equation for the mean of one more power
            self._learn(left, self.rewrite(integrand))

    def _learn(self, left: sp.Symbol, integrand: sp.Expr) -> None:
        if not integrand.is_polynomial(xhat):
            raise UnsupportedError(f"norm {self.norm.name}: {left} is the mean of no polynomial in x: its backward pass is not derived")
        terms = {power: coefficient for (power,), coefficient in sp.Poly(integrand, xhat).terms()}
        unknown = [power for power in terms if power not in self.moments]
        if len(unknown) == 1:
            (power,) = unknown
            rest = sum(value * self.moments[k] for k, value in terms.items() if k != power)
            self.moments[power] = sp.cancel((self.rewrite(left) - rest) / terms[power])

    def rewrite(self, expression: sp.Expr) -> sp.Expr:
        """The expression in xhat and sigma; x and the last reduction are gone."""
        return sp.expand(expression.xreplace(self._into).xreplace(self._last))

    def mean(self, expression: sp.Expr) -> sp.Expr:
        """The mean over a group. Raises UnsupportedError for a power of xhat whose mean the reductions do not give."""
        total = sp.Integer(0)
        for term in sp.Add.make_args(sp.expand(expression)):
            fixed, varying = term.as_independent(dy, xhat, *self.norm.varying, as_Add=False)
            if not varying.has(dy):
                total += fixed * self._power(varying)
                continue
            if varying not in self.found:
                self.found[varying] = self._name(varying)
            total += fixed * self.found[varying]
        return total

    def _power(self, varying: sp.Expr) -> sp.Expr:
        base, power = varying.as_base_exp()
        power = 0 if varying == 1 else int(power) if base == xhat and power.is_Integer else -1
        if power not in self.moments:
            raise UnsupportedError(
                f"norm {self.norm.name}: the mean of {varying} does not follow from its reductions: add a reduction that gives it"
            )
        return self.moments[power]

    def _name(self, varying: sp.Expr) -> sp.Symbol:
        powers = [factor.as_base_exp() for factor in sp.Mul.make_args(varying)]
        if all(base.is_Symbol and power.is_Integer and power > 0 for base, power in powers):
            order = [*sorted(self.norm.varying, key=str), dy, xhat]
            powers.sort(key=lambda pair: order.index(pair[0]))
            return symbol("_".join(["mean", *(f"{base}{power}" if power != 1 else str(base) for base, power in powers)]))
        return symbol(f"mean_{len(self.found)}")


def _derive(norm: Norm) -> tuple[Any, ...]:
    """The fields of :class:`Backward` after the norm."""
    means, output = Means(norm), norm.forward
    adjoints: dict[sp.Symbol, sp.Expr] = {}
    for left, _ in reversed(norm.reductions):
        own = dy * output.diff(left) + sum(adjoints[later] * h.diff(left) for later, h in norm.reductions if later in adjoints)
        adjoints[left] = sp.factor(means.mean(means.rewrite(own)))
    gradient = sp.factor(means.rewrite(dy * output.diff(x) + sum(adjoints[left] * h.diff(x) for left, h in norm.reductions)))
    parameters = {p: (dy * norm.output.diff(p), norm.summed) for p in norm.parameters}
    needed = gradient.free_symbols.union(*(s.free_symbols for s in adjoints.values()))
    reductions = sorted(
        ((name, f) for f, name in means.found.items() if name in needed), key=lambda pair: (len(str(pair[0])), str(pair[0]))
    )
    return tuple(reductions), gradient, parameters, adjoints


def backward(norm: Norm | str) -> Backward:
    """The backward pass of a norm, from its record alone; kept on disk by content.

    Raises UnsupportedError if a mean that it needs does not follow from the record's reductions.

    >>> backward("rms_norm").input_gradient
    (dy*gamma - mean_gamma_dy_xhat*xhat)/sigma
    """
    norm = norms.get(norm)
    return Backward(norm, *Kept("norm", norm.fingerprint, norm.name).get("backward", lambda: _derive(norm)))
