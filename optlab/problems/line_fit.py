"""The numerical example ``y = w x + b``: x uniform on (-1, 1), w* = 2, b* = 1, fresh samples in every batch."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from optlab.formulas import Formula
from optlab.objectives import Fresh, Start, real
from optlab.problems.least_squares import CONVENTIONS, squared_error_formula

if TYPE_CHECKING:
    import sympy as sp


def variables(*names: str) -> sp.Symbol | tuple[sp.Symbol, ...]:
    """The symbol of this name, or those of several."""
    from optlab.symbols import symbol

    return symbol(names[0]) if len(names) == 1 else tuple(map(symbol, names))


def features() -> tuple[sp.Expr, ...]:
    """``x`` and a constant 1."""
    import sympy as sp

    return variables("x"), sp.Integer(1)


def target(slope: str, intercept: str, label_noise: str) -> sp.Expr:
    """``slope x + intercept + label_noise e`` with exact numbers."""
    import sympy as sp

    true_slope, true_intercept, spread = map(sp.nsimplify, (slope, intercept, label_noise))
    return true_slope * variables("x") + true_intercept + spread * variables("e")


def line_fit(*, slope: float = 2.0, intercept: float = 1.0, label_noise: float = 0.0, convention: str = "half", theta0: Any = 0.0) -> Fresh:
    """Fit ``y = w x + b`` by mini-batches of fresh samples: x ~ U(-1, 1), y = slope x + intercept + label_noise N(0, 1).

    The coordinates are (w, b). ``convention`` is the factor of the squared error: ``"half"`` (1/2) or ``"full"`` (1).
    The reported loss is the population loss, the integral over x and the label noise.

    >>> line_fit(convention="full").objective()
    b**2 - 2*b + w**2/3 - 4*w/3 + 7/3
    """
    sigma = real(label_noise, "label_noise", low=0)
    options: dict[str, Any] = {"convention": convention, "label_noise": sigma}
    start = Start.read(theta0, 2)
    options |= start.option(0.0)
    numbers = tuple(str(real(value, name)) for value, name in ((slope, "slope"), (intercept, "intercept"), (sigma, "label_noise")))
    written: dict[str, Any] = {
        "loss": squared_error_formula(convention), "uniform": Formula(variables, ("x",)), "normal": Formula(variables, ("e",)),
        "features": Formula(features), "target": Formula(target, numbers), "coordinates": Formula(variables, ("w", "b")),
    }  # fmt: skip
    try:
        least = float(CONVENTIONS[convention] * Fraction(numbers[2]) ** 2)
    except OverflowError:
        least = math.inf
    return Fresh(name="line_fit", dim=2, start=start, options=options, minimum=least, **written)
