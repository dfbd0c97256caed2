"""The backward pass of a normalization layer and what it is invariant to, derived from its record.

With y = f(x, r_1 .. r_k) and r_j = mean(h_j(x, r_1 .. r_{j-1})), the reverse chain rule gives, for s_j = (dL/dr_j) / n,
s_j = mean(dy df/dr_j + sum_{l>j} s_l dh_l/dr_j), and dx = dy df/dx + sum_j s_j dh_j/dx. Written in xhat and sigma, what does
not vary among the elements is taken out of each mean, and powers of xhat alone have the means that the reductions give them.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from optlab import norms, rules
from optlab.errors import UnsupportedError
from optlab.norms.record import Norm, eps, sigma, x, xhat
from optlab.statements import Statement
from optlab.symbols import g, symbol, theta

dy, dx, c, shift, norm_w = (symbol(name) for name in ("dy", "dx", "c", "shift", "norm_w"))


@dataclass(frozen=True)
class Backward:
    """A backward pass: means first, in order, then a scalar map of each element.

    ``reductions`` holds (symbol, integrand), each the mean of its integrand over the norm's reduced axes; ``input_gradient`` is dx;
    both are in ``xhat``, ``sigma`` (the norm's ``normalized`` and ``scale``), ``dy`` and the parameters.
    ``parameter_gradients`` gives each parameter's integrand and the axes it is summed over. ``adjoints`` are the s_j
    (see the module) as found by the chain rule, in those means.
    """

    norm: Norm
    reductions: tuple[tuple[sp.Symbol, sp.Expr], ...]
    input_gradient: sp.Expr
    parameter_gradients: dict[sp.Symbol, tuple[sp.Expr, str]]
    adjoints: dict[sp.Symbol, sp.Expr]


class _Means:
    """Takes means of expressions in dy, xhat and the varying parameters; meets each new integrand with a new symbol."""

    def __init__(self, norm: Norm) -> None:
        self.norm = norm
        self.found: dict[sp.Expr, sp.Symbol] = {}
        last = norm.reductions[-1][0]
        inverse = sp.Poly(norm.normalized - xhat, x)
        self.into: dict[sp.Symbol, sp.Expr] = {x: sp.expand(-inverse.coeff_monomial(1) / inverse.coeff_monomial(x))}
        square = sp.Poly(norm.scale**2 - sigma**2, last)
        self.last: dict[sp.Symbol, sp.Expr] = {last: -square.coeff_monomial(1) / square.coeff_monomial(last)}
        self.moments: dict[int, sp.Expr] = {0: sp.Integer(1)}
        for left, integrand in norm.reductions:  # each reduction is an equation for one more power's mean
            poly = sp.Poly(self.rewrite(integrand), xhat)
            known = sum(poly.coeff_monomial(xhat**k) * self.moments.get(k, 0) for k in range(poly.degree()))
            missing = self.rewrite(left) - known
            self.moments[poly.degree()] = sp.cancel(missing / poly.LC())

    def rewrite(self, expression: sp.Expr) -> sp.Expr:
        """The expression in xhat and sigma, the last reduction and x being gone."""
        return sp.expand(expression.xreplace(self.into).xreplace(self.last))

    def mean(self, expression: sp.Expr) -> sp.Expr:
        total = sp.Integer(0)
        for term in sp.Add.make_args(sp.expand(expression)):
            fixed, varying = term.as_independent(dy, xhat, *self.norm.varying, as_Add=False)
            if varying.has(dy):
                if varying not in self.found:
                    label = "_".join(str(s) for s in sorted(varying.free_symbols, key=str) if s not in self.norm.varying)
                    self.found[varying] = symbol(f"mean_{label}")
                total += fixed * self.found[varying]
                continue
            power = sp.degree(varying, xhat) if varying.has(xhat) else 0
            if power not in self.moments:
                raise UnsupportedError(f"norm {self.norm.name}: the mean of {varying} does not follow from its reductions: add it as one")
            total += fixed * self.moments[power]
        return total


def _derive(norm: Norm) -> tuple[Backward, _Means]:
    means, output = _Means(norm), norm.forward
    adjoints: dict[sp.Symbol, sp.Expr] = {}
    for left, _ in reversed(norm.reductions):
        own = dy * output.diff(left) + sum(adjoints[later] * h.diff(left) for later, h in norm.reductions if later in adjoints)
        adjoints[left] = sp.factor(means.mean(means.rewrite(own)))
    gradient = dy * output.diff(x) + sum(adjoints[left] * h.diff(x) for left, h in norm.reductions)
    gradient = sp.factor(means.rewrite(gradient))
    parameters = {p: (dy * norm.output.diff(p), norm.summed) for p in norm.parameters}
    reductions = tuple((name, integrand) for integrand, name in means.found.items() if gradient.has(name))
    return Backward(norm, reductions, gradient, parameters, adjoints), means


def backward(norm: Norm | str) -> Backward:
    """The backward pass, from the norm's record alone.

    >>> backward("rms_norm").input_gradient
    (dy*gamma - mean_dy_xhat*xhat)/sigma
    """
    return _derive(norms.get(norm))[0]


def _changed(norm: Norm, change: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """The reductions when every x becomes ``change``; the means of x and x**2 that no reduction names are ``mean_x``, ``mean_xx``."""
    moments = {0: sp.Integer(1), 1: symbol("mean_x"), 2: symbol("mean_xx")}
    out: dict[sp.Symbol, sp.Expr] = {}
    for left, h in norm.reductions:
        poly = sp.Poly(h.xreplace({x: change}).xreplace(out), x)
        if poly.degree() not in moments:
            raise UnsupportedError(
                f"norm {norm.name}: {left} is a mean of degree {poly.degree()} in x: invariances are derived up to degree 2"
            )
        known = sp.Poly(h, x)  # mean(h) is the symbol itself: solve it for the mean of the highest power
        rest = sum(known.coeff_monomial(x**k) * moments[k] for k in range(known.degree()))
        moments[known.degree()] = sp.expand((left - rest) / known.LC())
        value = sum(poly.coeff_monomial(x**k) * moments[k] for k in range(poly.degree() + 1))
        out[left] = sp.factor(sp.expand(value))
    return out


def statements(norm: Norm | str) -> tuple[Statement, ...]:
    """What is derived of a norm: its backward pass, its invariances, how eps breaks them, and SGD's effective learning rate.

    >>> [s.name for s in statements("rms_norm")][:2]
    ['input_gradient', 'scale_invariance']
    """
    norm = norms.get(norm)
    back, means = _derive(norm)
    plain = norm.normalized.xreplace({sigma: norm.scale})
    scaled = plain.xreplace({x: c * x, **_changed(norm, c * x)})
    exact = sp.factor(scaled.xreplace({eps: sp.Integer(0)}))
    ratio = sp.cancel(exact / plain.xreplace({eps: sp.Integer(0)}))
    broken = sp.factor(means.rewrite(scaled.diff(c).xreplace({c: sp.Integer(1)})))
    moved = plain.xreplace({x: x + shift, **_changed(norm, x + shift)})
    slope = sp.factor(means.rewrite(moved.diff(shift).xreplace({shift: sp.Integer(0)})))
    inner = sp.factor(means.mean(sp.expand(means.rewrite(x * back.input_gradient))))
    spread = norm.scale.xreplace({**_changed(norm, c * x)}).xreplace({eps: sp.Integer(0)}) / norm.scale.xreplace({eps: sp.Integer(0)})
    at_scaled = sp.cancel(back.input_gradient.xreplace({sigma: sp.powdenest(spread) * sigma}) / back.input_gradient)
    step = dict(rules.get("sgd").equations)[theta]
    growth = sp.expand(step**2).subs(theta * g, 0)
    direction = -sp.expand(step.xreplace({theta: norm_w * theta, g: g / norm_w}) / norm_w).coeff(g)
    meaning = {
        xhat: "the normalized element",
        sigma: "what it is divided by",
        dy: "the gradient of the loss by the output",
        **{name: f"the mean of {integrand}" for name, integrand in back.reductions},
    }
    laarhoven = (
        "van Laarhoven, L2 regularization versus batch and weight normalization, arXiv:1706.05350, 2017; Hoffer et al., NeurIPS 2018"
    )

    def derived(name: str, about: str, expression: sp.Basic, how: str, **more: object) -> Statement:
        fields: dict[str, object] = {"symbols": meaning, "reference": norm.reference, **more}
        return Statement(name=name, about=about, expression=expression, status="derived", how=how, **fields)  # type: ignore[arg-type]

    zero = "eps = 0"
    weights = (zero, "theta and g are vectors, the loss depends on theta through this norm alone, squares are squared lengths")
    return (
        derived("input_gradient", "the loss by the input", sp.Eq(dx, back.input_gradient), "reverse chain rule, constants out of means"),
        derived(
            "scale_invariance", "xhat at c x over xhat at x", ratio, "the reductions at c x",
            conditions=(sp.Ne(c, 0),), assumptions=(zero,),
        ),
        derived("shift_slope", "derivative of xhat by a shift of every x, at 0", slope, "the reductions at x + shift"),
        derived("scale_slope", "derivative of xhat at c x by c, at c = 1: how eps breaks the invariance", broken, "the reductions at c x"),
        derived("inner_product", "the mean of x dx: 0 at eps = 0", inner, "x times input_gradient; mean(xhat**2) by the last reduction"),
        derived(
            "gradient_scaling", "input gradient at c x over that at x", at_scaled, "sigma at c x; xhat stays by scale_invariance",
            conditions=(sp.Gt(c, 0),), assumptions=(zero, "dy is the same"),
        ),
        derived(
            "weight_growth", "squared length of scale-invariant weights after a step of SGD", growth,
            "the square of the step; the product theta g is 0 by inner_product", assumptions=weights, reference=laarhoven,
        ),
        derived(
            "effective_learning_rate", "learning rate of the weights' direction", direction,
            "a step from norm_w times a direction, whose gradient is 1/norm_w of the direction's by gradient_scaling, over norm_w",
            symbols={norm_w: "the length of the weights"}, assumptions=weights, reference=laarhoven,
        ),
    )  # fmt: skip
