"""The record of a normalization layer: ordered mean-reductions and a scalar map of one element."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from optlab.dialects import Dialect
from optlab.errors import InputError
from optlab.expressions import exact
from optlab.symbols import symbol

x = symbol("x")  #: an element of the input
xhat = symbol("xhat")  #: the normalized element
sigma = symbol("sigma")  #: what an element is divided by
gamma, beta = symbol("gamma"), symbol("beta")  #: the learned scale and shift
eps = symbol("eps")  #: what keeps sigma away from 0
n = symbol("n")  #: the number of elements that are normalized together
running = symbol("running")  #: a running value before the step
momentum = symbol("momentum")  #: the weight of the newest batch in a running value
_FIXED = frozenset({x, xhat, sigma, eps, n, running, momentum})


@dataclass(frozen=True, kw_only=True)
class Norm:
    """A normalization layer, for one element ``x`` of the ``n`` elements that are normalized together (a group).

    The forward pass takes the ``reductions`` of each group in order, then ``scale``, then ``normalized`` and ``output`` of each
    element. For inference with running values, those stand in the reductions' place.

    Parameters
    ----------
    name
        An identifier.
    reductions
        Ordered (symbol, integrand): each symbol is the group's mean of its integrand, which may use ``x`` and the symbols before it.
    scale
        What the element is divided by, ``sigma``, as an expression in the last reduction and ``eps``.
    normalized
        ``xhat`` in ``x``, ``sigma`` and the reductions; linear in ``x``.
    output
        ``y`` in ``xhat`` and the parameters.
    parameters
        Each learned parameter to the value it starts from.
    varying
        The parameters that differ among the elements of a group; the others are one number for each group.
    reduced, summed
        In words: the axes that the means run over, and those that a parameter's gradient is summed over.
    running
        Each reduction that has a running value to the new running value, in ``running`` (the old one), the reduction,
        ``momentum`` and ``n``.
    defaults
        Numbers of ``eps`` and ``momentum``, exact.
    dialects
        How libraries write it: each option in ``eps`` and ``momentum``; ``expression`` holds running values that differ.
    summary, reference
        One line on what it does, and where it is published.

    Raises InputError if a symbol has no meaning where it stands, or ``normalized`` is not linear in ``x``.

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
    dialects: Mapping[str, Dialect] = field(default_factory=dict)
    summary: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise InputError(f"norm name {self.name!r} must be an identifier such as 'layer_norm'")
        if not self.reductions:
            raise InputError(f"norm {self.name} has no reductions: give at least one (symbol, integrand)")
        known: set[sp.Symbol] = {x}
        for left, integrand in self.reductions:
            if left in known | _FIXED | self.parameters.keys():
                raise InputError(f"norm {self.name}: {left} has a meaning already and cannot be a reduction: give it another symbol")
            self._check(f"the integrand of {left}", integrand, known)
            if not sp.sympify(integrand).has(x):
                raise InputError(f"norm {self.name}: the integrand of {left} is {integrand}, the same for every element: use it as it is")
            known.add(left)
        self._check("scale", self.scale, {self.reductions[-1][0], eps})
        self._check("normalized", self.normalized, known | {sigma})
        self._check("output", self.output, {xhat, *self.parameters})
        for left, value in self.running.items():
            if left not in known - {x}:
                raise InputError(f"norm {self.name}: {left} has a running value but is no reduction")
            self._check(f"the running value of {left}", value, {left, running, momentum, n})
        if self.varying - self.parameters.keys():
            raise InputError(f"norm {self.name}: varying names {self.varying - self.parameters.keys()}, which are no parameters")
        if not self.normalized.is_polynomial(x) or sp.degree(self.normalized, x) != 1:
            raise InputError(f"norm {self.name}: normalized = {self.normalized} must be linear in x")

    def _check(self, where: str, expression: Any, known: set[sp.Symbol]) -> None:
        if not isinstance(expression, sp.Expr):
            raise InputError(f"norm {self.name}: {where} is {expression!r}, not an expression")
        unknown = sorted(str(s) for s in expression.free_symbols - known)
        if unknown:
            raise InputError(f"norm {self.name}: {where} uses {', '.join(unknown)}, which has no meaning there")

    @property
    def forward(self) -> sp.Expr:
        """``y`` in ``x``, the reductions, ``eps`` and the parameters."""
        return self.output.xreplace({xhat: self.normalized.xreplace({sigma: self.scale})})

    @property
    def fingerprint(self) -> str:
        """A short hash of the mathematics (not of the reference or the summary)."""
        pairs = [self.reductions, tuple(self.parameters.items()), tuple(self.running.items()), tuple(self.defaults.items())]
        flat = [item for group in pairs for pair in group for item in pair]
        flat += [self.scale, self.normalized, self.output, *sorted(self.varying, key=str), self.reduced, self.summed]
        text = repr([sp.srepr(item) if isinstance(item, sp.Basic) else item for item in flat])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __hash__(self) -> int:
        return hash(self.fingerprint)
