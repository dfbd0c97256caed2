"""The numerical example ``y = w x + b``: x uniform on (-1, 1), w* = 2, b* = 1, fresh samples in every batch."""

from __future__ import annotations

from typing import Any

import sympy as sp

from optlab.objectives import Fresh, Start, real
from optlab.problems.least_squares import CONVENTIONS, squared_error
from optlab.symbols import symbol

x, e, w, b = symbol("x"), symbol("e"), symbol("w"), symbol("b")


def line_fit(*, slope: float = 2.0, intercept: float = 1.0, label_noise: float = 0.0, convention: str = "half", theta0: Any = 0.0) -> Fresh:
    """Fit ``y = w x + b`` by mini-batches of fresh samples: x ~ U(-1, 1), y = slope x + intercept + label_noise N(0, 1).

    The coordinates are (w, b). ``convention`` is the factor of the squared error: ``"half"`` (1/2) or ``"full"`` (1).
    The reported loss is the population loss, the integral over x and the label noise.

    >>> line_fit(convention="full").objective()
    b**2 - 2*b + w**2/3 - 4*w/3 + 7/3
    """
    exact = sp.nsimplify
    sigma = real(label_noise, "label_noise", low=0)
    options: dict[str, Any] = {"convention": convention, "label_noise": sigma}
    start = Start.read(theta0, 2)
    options |= start.option(0.0)
    true_slope, true_intercept, spread = (
        exact(str(real(v, n))) for v, n in ((slope, "slope"), (intercept, "intercept"), (sigma, "label_noise"))
    )
    loss = squared_error(convention)
    return Fresh(
        name="line_fit", dim=2, start=start, options=options, loss=loss, uniform=x, normal=e,
        features=(x, sp.Integer(1)), target=true_slope * x + true_intercept + spread * e, coordinates=(w, b),
        minimum=float(CONVENTIONS[convention] * spread**2),
    )  # fmt: skip
