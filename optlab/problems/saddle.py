"""A strict saddle between two minima, and its linearization: what noise, rounding or nothing makes a rule leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optlab.formulas import Formula
from optlab.objectives import Expression, NoiseLaw, Separable, Start, noise_options, read_noise, real
from optlab.problems.quadratic import piece
from optlab.problems.symbolic import symbols

if TYPE_CHECKING:
    import sympy as sp

#: The turn of ``rotated=True`` has cosine 4/5 and sine 3/5: exact on paper, rounded in binary.
COSINE, SINE = 0.8, 0.6


def loss(stiff: str, gamma: str, well: str, turned: bool) -> sp.Expr:
    """``stiff s^2/2 + gamma (-u^2/2 + u^4/(4 well^2))``, s and u the axes, or those turned by the 3-4-5 triangle."""
    import sympy as sp

    x, y = symbols("x", "y")
    h, c, w = (sp.nsimplify(number) for number in (stiff, gamma, well))
    s, u = ((4 * x + 3 * y) / 5, (4 * y - 3 * x) / 5) if turned else (x, y)
    return h * s**2 / 2 + c * (u**4 / (4 * w**2) - u**2 / 2)


def saddle(
    *, stiff: float = 1.0, gamma: float = 1.0, well: float = 10.0, rotated: bool = False, noise: float = 0.0,
    noise_law: str | NoiseLaw = "gaussian", theta0: Any = 0.0,
) -> Expression:  # fmt: skip
    """``f = stiff s^2/2 + gamma (-u^2/2 + u^4/(4 well^2))``: a saddle at 0, where f = 0, and minima at u = +-well.

    s is the stable direction, u the unstable one, of curvature -gamma. The line u = 0 is the stable manifold: gradient descent that
    starts on it goes to the saddle. The coordinates x, y are s and u, or with ``rotated`` are turned so that s = (4 x + 3 y)/5.

    Parameters
    ----------
    stiff, gamma, well
        Curvature along s; minus the curvature along u; distance of the minima, of curvature 2 gamma.
    noise, noise_law
        Gradient noise as in :func:`optlab.problems.quadratic`.
    theta0
        The start (x, y): the saddle by default.

    Raises InputError for a number that is not above 0.

    >>> saddle(gamma=0.5).minimum, saddle(gamma=0.5).expressions()["gradient1"]
    (-12.5, y**3/200 - y/2)
    """
    numbers = {name: real(v, name, low=0, strict=True) for name, v in (("stiff", stiff), ("gamma", gamma), ("well", well))}
    sigma, law = read_noise(noise, noise_law)
    start = Start.read(theta0, 2)
    options: dict[str, Any] = numbers | ({"rotated": True} if rotated else {}) | noise_options(sigma, law) | start.option(0.0)
    least = -numbers["gamma"] * numbers["well"] ** 2 / 4
    formula = Formula(loss, (*(repr(value) for value in numbers.values()), bool(rotated)))
    written: dict[str, Any] = {"loss": formula, "coordinates": Formula(symbols, ("x", "y"))}
    return Expression(
        name="saddle", dim=2, start=start, noise=sigma, noise_law=law, minimum=least, options=options,
        **written,
    )  # fmt: skip


def linearized(problem: Expression) -> Separable:
    """The quadratic saddle that a :func:`saddle` along the axes is near 0: curvatures (stiff, -gamma), for exact prediction.

    >>> linearized(saddle(gamma=0.5, noise=0.1)).spectrum
    (1.0, -0.5)
    """
    spectrum = (problem.options["stiff"], -problem.options["gamma"])
    return Separable(
        name="linearized_saddle", dim=2, start=problem.start, noise=problem.noise, noise_law=problem.noise_law,
        options=dict(problem.options), loss=Formula(piece), spectrum=spectrum,
    )  # fmt: skip
