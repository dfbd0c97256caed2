"""The record of a normalization layer: ordered mean-reductions and a scalar map of one element."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from optlab.errors import InputError
from optlab.expressions import exact
from optlab.symbols import symbol

x, xhat, sigma, gamma, beta = (symbol(name) for name in ("x", "xhat", "sigma", "gamma", "beta"))
eps, n, momentum = symbol("eps"), symbol("n"), symbol("momentum")


@dataclass(frozen=True, kw_only=True)
class Norm:
    """A normalization layer, for one element ``x`` of the elements that are normalized together (``n`` of them).

    Parameters
    ----------
    name
        An identifier.
    reductions
        Ordered (symbol, integrand): each symbol is the mean of its integrand, which may use ``x`` and the symbols before it.
    scale
        What the element is divided by, ``sigma``, as an expression in the last reduction and ``eps``.
    normalized
        ``xhat`` in ``x``, ``sigma`` and the reductions; linear in ``x``.
    output
        ``y`` in ``xhat`` and the parameters.
    parameters
        Each learned parameter to its start.
    varying
        The parameters that differ among the elements that are normalized together.
    reduced, summed
        In words: the axes that the means run over, and those that a parameter's gradient is summed over.
    running
        For inference: each reduction's symbol to the new running value, in ``running``, the reduction, ``momentum`` and ``n``.
    defaults
        Numbers of ``eps`` and ``momentum``.

    Raises InputError if a symbol has no meaning.

    >>> Norm(name="plain", reductions=((symbol("ms"), x**2),), scale=sp.sqrt(symbol("ms") + eps), normalized=x / sigma,
    ...      output=xhat, reduced="features", summed="rows").forward
    x/sqrt(eps + ms)
    """

    name: str
    reductions: tuple[tuple[sp.Symbol, Any], ...]
    scale: Any
    normalized: Any
    output: Any
    reduced: str
    summed: str
    parameters: Mapping[sp.Symbol, int] = field(default_factory=dict)
    varying: frozenset[sp.Symbol] = frozenset()
    running: Mapping[sp.Symbol, Any] = field(default_factory=dict)
    defaults: Mapping[sp.Symbol, Any] = field(default_factory=lambda: {eps: exact("1e-5")})
    summary: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise InputError(f"norm name {self.name!r} must be an identifier such as 'layer_norm'")
        if not self.reductions:
            raise InputError(f"norm {self.name} has no reductions: give at least one (symbol, integrand)")
        known: set[sp.Symbol] = {x}
        for left, integrand in self.reductions:
            self._check(f"the integrand of {left}", integrand, known)
            known.add(left)
        self._check("scale", self.scale, {self.reductions[-1][0], eps})
        self._check("normalized", self.normalized, known | {sigma})
        self._check("output", self.output, {xhat, *self.parameters})
        for left, value in self.running.items():
            self._check(f"the running value of {left}", value, {left, symbol("running"), momentum, n})
        if not sp.Poly(self.normalized, x).degree() == 1:
            raise InputError(f"norm {self.name}: normalized = {self.normalized} must be linear in x")

    def _check(self, where: str, expression: Any, known: set[sp.Symbol]) -> None:
        unknown = sorted(str(s) for s in sp.sympify(expression).free_symbols - known)
        if unknown:
            raise InputError(f"norm {self.name}: {where} uses {', '.join(unknown)}, which has no meaning there")

    @property
    def forward(self) -> sp.Expr:
        """``y`` in ``x``, the reductions and the parameters."""
        return self.output.xreplace({xhat: self.normalized.xreplace({sigma: self.scale})})
