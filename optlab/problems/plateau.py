"""A well in a plain that grows flat: how long a rule walks where there is almost no gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optlab.formulas import Formula
from optlab.objectives import Expression, NoiseLaw, Start, noise_options, read_noise
from optlab.problems.symbolic import symbols

if TYPE_CHECKING:
    import sympy as sp


def loss() -> sp.Expr:
    """``1 - exp(-x^2/2)``."""
    import sympy as sp

    (x,) = symbols("x")
    return 1 - sp.exp(-(x**2) / 2)


def plateau(*, theta0: Any = 4.0, noise: float = 0.0, noise_law: str | NoiseLaw = "gaussian") -> Expression:
    """``f = 1 - exp(-x^2/2)``: a minimum of curvature 1 at 0, and a plain at height 1 whose slope x exp(-x^2/2) soon vanishes.

    ``theta0`` is how far out the start is: the slope is 1.3e-3 at 4, 1.9e-5 at 5, 9.1e-8 at 6. ``noise`` and ``noise_law`` as in
    :func:`optlab.problems.quadratic`.

    >>> plateau().expressions()["gradient0"]
    x*exp(-x**2/2)
    """
    sigma, law = read_noise(noise, noise_law)
    start = Start.read(theta0, 1)
    written: dict[str, Any] = {"loss": Formula(loss), "coordinates": Formula(symbols, ("x",))}
    return Expression(
        name="plateau", dim=1, start=start, noise=sigma, noise_law=law, minimum=0.0,
        options={"theta0": start.point[0]} | noise_options(sigma, law) | ({"theta0": "normal"} if start.scatter else {}),
        **written,
    )  # fmt: skip
