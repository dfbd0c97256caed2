"""Weight decay put on a rule that has none: added to the gradient (coupled), or theta shrinking by itself (decoupled)."""

from __future__ import annotations

from functools import lru_cache

import sympy as sp

from optlab.errors import InputError
from optlab.expressions import Parameter, Rule
from optlab.symbols import alpha, g, symbol, theta

wd = symbol("wd")
DECAYS = ("coupled", "decoupled")


@lru_cache(maxsize=256)
def with_decay(rule: Rule, kind: str) -> Rule:
    """The rule with weight decay ``wd``, as libraries add it to any optimizer.

    ``kind`` is ``"coupled"`` (the gradient becomes ``g + wd theta``, an L2 penalty) or ``"decoupled"`` (theta becomes
    ``theta (1 - alpha wd)`` before the step). Raises InputError for another kind, or a rule that has a ``wd`` already.

    >>> from optlab import rules
    >>> with_decay(rules.get("sgd"), "decoupled").equations
    ((theta, -alpha*g + theta*(-alpha*wd + 1)),)
    """
    if kind not in DECAYS:
        raise InputError(f"weight decay {kind!r} is unknown: use {' or '.join(DECAYS)}")
    if wd in rule.declared:
        raise InputError(f"rule {rule.name} has weight decay already")
    gradient = symbol("gradient")
    equations: list[tuple[sp.Symbol, sp.Expr]] = []
    if kind == "coupled":
        equations = [(gradient, g + wd * theta), *((left, right.xreplace({g: gradient})) for left, right in rule.equations)]
    else:
        shrunk = theta * (1 - alpha * wd)
        equations = [(left, right.xreplace({theta: shrunk}) if left == theta else right) for left, right in rule.equations]
    return Rule(
        name=f"{rule.name}_{kind}_decay",
        equations=equations,
        parameters={**rule.parameters, wd: Parameter(0, within="[0, oo)", about="weight decay")},
        state=rule.state_now,
        gradient_at=rule.gradient_at,
        summary=f"{rule.summary}; weight decay {kind}",
        reference=rule.reference,
    )
