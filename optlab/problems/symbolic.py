"""Any objective written as an expression; its gradient is derived."""

from __future__ import annotations

from typing import Any

import sympy as sp

from optlab.errors import InputError
from optlab.objectives import Expression, NoiseLaw, Start, noise_options, read_noise, real
from optlab.symbols import symbol, sympify


def symbolic(
    loss: str | sp.Expr,
    *,
    theta0: Any = 1.0,
    noise: float = 0.0,
    noise_law: str | NoiseLaw = "gaussian",
    minimum: float | None = None,
    coordinates: Any = None,
) -> Expression:
    """An objective from text or from a SymPy expression.

    The coordinates are its symbols in alphabetical order unless ``coordinates`` names their order; ``noise`` is the
    standard deviation of the gradient noise per sample and coordinate, ``noise_law`` its law (:class:`optlab.objectives.NoiseLaw`);
    ``minimum`` is the least value, if known.

    >>> saddle = symbolic("x**2 - y**2 + y**4/4", theta0=[1, 0], noise=0.1)
    >>> saddle.dim, saddle.expressions()["gradient1"]
    (2, y**3 - 2*y)
    """
    expression = sympify(loss)
    if not isinstance(expression, sp.Expr) or expression.is_number:
        raise InputError(f"{loss!r} is no objective: write an expression of its coordinates, such as 'x**2 + 10*y**2'")
    found = sorted(expression.free_symbols, key=lambda s: s.name)
    order = found if coordinates is None else [symbol(str(name)) for name in coordinates]
    if set(order) != set(found):
        raise InputError(f"coordinates {[str(c) for c in order]} do not match the symbols of {expression}: {[str(s) for s in found]}")
    sigma, law = read_noise(noise, noise_law)
    start = Start.read(theta0, len(order))
    options = {"loss": str(expression)} | noise_options(sigma, law) | start.option(1.0)
    return Expression(
        name="symbolic", dim=len(order), start=start, noise=sigma, noise_law=law,
        minimum=None if minimum is None else real(minimum, "minimum"), options=options, loss=expression, coordinates=tuple(order),
    )  # fmt: skip
