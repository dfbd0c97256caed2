"""What a normalization layer is invariant to, how eps breaks it, and what that makes of SGD on the weights before it.

All of it is computed from the norm's record, its derived backward pass and SGD's equation: the reductions are followed when every
element of a group is multiplied by c or shifted.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import sympy as sp

from optlab import norms, rules
from optlab.analysis.kept import Kept
from optlab.analysis.normalization import Means, backward, dx, dy
from optlab.errors import UnsupportedError
from optlab.norms.record import Norm, eps, sigma, x, xhat
from optlab.statements import Statement
from optlab.symbols import g, symbol, theta

c = symbol("c")  #: the factor by which every element of the input is multiplied
shift = symbol("shift")  #: what is added to every element of the input
norm_w = symbol("norm_w")  #: the length of the weights
norm_g = symbol("norm_g")  #: the length of the gradient by the weights
_MEANS = {1: symbol("mean_x"), 2: symbol("mean_xx")}

_WEIGHTS = ("eps = 0", "the norm's input is linear in the weights (no bias), and the loss depends on the weights through this norm alone")
_LAARHOVEN = (
    "van Laarhoven, L2 regularization versus batch and weight normalization, arXiv:1706.05350, 2017; "
    "Hoffer, Banner, Golan & Soudry, Norm matters, NeurIPS 2018"
)


def _zero_eps(expression: sp.Expr) -> sp.Expr:
    return expression.xreplace({eps: sp.Integer(0)})


class _Formulas:
    """The formulas of the statements; each property is one derivation."""

    def __init__(self, norm: Norm) -> None:
        self.norm, self.backward, self.means = norm, backward(norm), Means(norm)
        self.plain = norm.normalized.xreplace({sigma: norm.scale})

    def changed(self, change: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
        """The reductions when every x becomes ``change``; means of x and x**2 that no reduction gives are ``mean_x``, ``mean_xx``."""
        moments: dict[int, sp.Expr] = {0: sp.Integer(1), **_MEANS}
        out: dict[sp.Symbol, sp.Expr] = {}
        for left, h in self.norm.reductions:
            own, moved = sp.Poly(h, x), sp.Poly(h.xreplace({**out, x: change}), x)
            if own.degree() > 2:
                raise UnsupportedError(f"norm {self.norm.name}: {left} is a mean of degree {own.degree()} in x: invariances need at most 2")
            rest = sum(own.coeff_monomial(x**k) * moments[k] for k in range(own.degree()))
            moments[own.degree()] = sp.expand((left - rest) / own.LC())  # mean(h) is the symbol itself
            out[left] = sp.factor(sp.expand(sum(moved.coeff_monomial(x**k) * moments[k] for k in range(moved.degree() + 1))))
        return out

    @cached_property
    def scaled(self) -> dict[sp.Symbol, sp.Expr]:
        """The reductions at c x."""
        return self.changed(c * x)

    @cached_property
    def scale_invariance(self) -> sp.Expr:
        return sp.cancel(sp.factor(_zero_eps(self.plain.xreplace({**self.scaled, x: c * x}))) / _zero_eps(self.plain))

    @cached_property
    def shift_invariance(self) -> sp.Expr:
        return sp.expand(self.plain.xreplace({**self.changed(x + shift), x: x + shift})) - sp.expand(self.plain)

    @cached_property
    def eps_effect(self) -> sp.Expr:
        moved = self.norm.forward.xreplace({**self.scaled, x: c * x})
        return sp.factor(self.means.rewrite(moved.diff(c).xreplace({c: sp.Integer(1)})))

    @cached_property
    def orthogonality(self) -> sp.Expr:
        return sp.factor(self.means.mean(self.means.rewrite(x * self.backward.input_gradient)))

    @cached_property
    def zero_sum(self) -> sp.Expr:
        return sp.factor(self.means.mean(sp.expand(self.backward.input_gradient)))

    @cached_property
    def gradient_scaling(self) -> sp.Expr:
        ratio = _zero_eps(self.norm.scale.xreplace(self.scaled)) / _zero_eps(self.norm.scale)
        positive = sp.powdenest(ratio).xreplace({sp.Abs(c): c})  # for c > 0
        return sp.cancel(self.backward.input_gradient.xreplace({sigma: positive * sigma}) / self.backward.input_gradient)

    @cached_property
    def _step(self) -> sp.Poly:
        return sp.Poly(dict(rules.get("sgd").equations)[theta], theta, g)

    @cached_property
    def weight_growth(self) -> sp.Expr:
        products = {(2, 0): norm_w**2, (1, 1): _zero_eps(self.orthogonality), (0, 2): norm_g**2}
        return sum((value * products[powers] for powers, value in (self._step**2).terms()), sp.Integer(0))

    @cached_property
    def turn(self) -> sp.Expr:
        return -self._step.coeff_monomial(g) * norm_g / (self._step.coeff_monomial(theta) * norm_w)

    @cached_property
    def effective_learning_rate(self) -> sp.Expr:
        at_length_one = self.gradient_scaling.xreplace({c: norm_w}) * norm_g  # the gradient there, norm_g being its length at length 1
        turn = self.turn.xreplace({norm_g: at_length_one})
        return sp.cancel(turn / self.turn.xreplace({norm_w: sp.Integer(1)}) * -self._step.coeff_monomial(g))


def _derive(norm: Norm) -> dict[str, Any]:
    found = _Formulas(norm)
    names = ["scale_invariance", "shift_invariance", "eps_effect", "orthogonality"]
    if found.shift_invariance == 0:  # else the mean of xhat, and with it that of dx, need not be known
        names.append("zero_sum")
    if found.scale_invariance.xreplace({sp.Abs(c): c}) == 1 and _zero_eps(found.orthogonality) == 0:
        names += ["gradient_scaling", "weight_growth", "turn", "effective_learning_rate"]
    return {name: getattr(found, name) for name in names}


#: What is said of each formula; the reference is the norm's where none is named.
_WORDS: dict[str, dict[str, Any]] = {
    "scale_invariance": {
        "about": "xhat at c x over xhat at x: 1 for c > 0, so y does not change",
        "how": "the reductions at c x, in order; eps = 0",
        "conditions": (sp.Ne(c, 0),), "assumptions": ("eps = 0",), "symbols": {c: "a factor of every x"},
    },
    "shift_invariance": {
        "about": "xhat at x + shift minus xhat at x",
        "how": "the reductions at x + shift, in order",
        "symbols": {shift: "what is added to every x", _MEANS[1]: "the mean of x"},
    },
    "eps_effect": {
        "about": "the derivative of y at c x by c, at c = 1: how far eps breaks scale invariance",
        "how": "the reductions at c x, in order; differentiated by c",
        "symbols": {c: "a factor of every x"},
    },
    "orthogonality": {
        "about": "the mean of x dx: at eps = 0 the gradient is orthogonal to the input",
        "how": "x times the input gradient; the means of powers of xhat by the reductions",
    },
    "zero_sum": {
        "about": "the mean of dx: what shift invariance asks of the gradient",
        "how": "the mean of the input gradient; the mean of xhat by the reductions",
    },
    "gradient_scaling": {
        "about": "the input gradient at c x over that at x",
        "how": "sigma at c x by the reductions; xhat, and with it dy, stays by scale_invariance",
        "conditions": (sp.Gt(c, 0),), "assumptions": ("eps = 0",), "symbols": {c: "a factor of every x"},
    },
    "weight_growth": {
        "about": "the squared length of the weights after a step of SGD: it never falls",
        "how": "the square of SGD's step; the inner product of weights and gradient is the sum of x dx, 0 by orthogonality",
        "assumptions": _WEIGHTS, "reference": _LAARHOVEN,
    },
    "turn": {
        "about": "the tangent of the angle by which a step of SGD turns the weights",
        "how": "the step's part along the gradient over that along the weights, which are orthogonal",
        "conditions": (sp.Gt(norm_w, 0),), "assumptions": _WEIGHTS, "reference": _LAARHOVEN,
    },
    "effective_learning_rate": {
        "about": "the learning rate by which weights of length 1 would turn by the same angle",
        "how": "turn, with the gradient that gradient_scaling gives at c = norm_w",
        "conditions": (sp.Gt(norm_w, 0),), "assumptions": _WEIGHTS, "reference": _LAARHOVEN,
    },
}  # fmt: skip


def statements(norm: Norm | str) -> tuple[Statement, ...]:
    """What is derived of a norm: its backward pass, its invariances, how eps breaks them, and SGD's effective learning rate.

    Raises UnsupportedError where the record's reductions are not enough to derive them.

    >>> {s.name: s.expression for s in statements("rms_norm")}["effective_learning_rate"]
    alpha/norm_w**2
    """
    norm = norms.get(norm)
    back = backward(norm)
    formulas = Kept("norm", norm.fingerprint, norm.name).get("statements", lambda: _derive(norm))
    shared = {xhat: "the normalized element", sigma: "what it is divided by", dy: "the loss's derivative by y", dx: "that by x"}
    shared |= {name: f"the mean of {integrand} over {norm.reduced}" for name, integrand in (*norm.reductions, *back.reductions)}
    shared |= dict.fromkeys(norm.parameters, "learned")
    shared |= {norm_w: "the length of the weights", norm_g: "the length of the loss's gradient by them"}

    def derived(name: str, expression: sp.Basic, **words: Any) -> Statement:
        meaning = {key: text for key, text in (shared | words.pop("symbols", {})).items() if key in expression.free_symbols}
        return Statement(name=name, expression=expression, status="derived", symbols=meaning, **({"reference": norm.reference} | words))

    out = [derived("input_gradient", sp.Eq(dx, back.input_gradient), about="the loss by the input", how="reverse chain rule on the record")]
    for parameter, (integrand, axes) in back.parameter_gradients.items():
        about = f"summed over {axes}: the loss by {parameter}"
        out.append(derived(f"{parameter}_gradient", integrand, about=about, how="chain rule on the record"))
    return (*out, *(derived(name, formulas[name], **_WORDS[name]) for name in formulas))
