"""Any objective written as an expression; its gradient is derived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optlab.errors import InputError
from optlab.formulas import Formula
from optlab.kept_facts import kept
from optlab.objectives import Expression, NoiseLaw, Start, definitions, noise_options, read_noise, real

if TYPE_CHECKING:
    import sympy as sp


def objective(text: str) -> sp.Expr:
    """The expression of this text."""
    from optlab.symbols import sympify

    return sympify(text)


def symbols(*names: str) -> tuple[sp.Symbol, ...]:
    """The symbols of these names."""
    from optlab.symbols import symbol

    return tuple(map(symbol, names))


def _read(loss: str | sp.Expr, names: list[str] | None) -> tuple[sp.Expr, tuple[sp.Symbol, ...]]:
    """The expression and its coordinates in order. Raises InputError where it is none, or the names are not its symbols."""
    import sympy as sp

    from optlab.symbols import sympify

    expression = sympify(loss)
    if not isinstance(expression, sp.Expr) or expression.is_number:
        raise InputError(f"{loss!r} is no objective: write an expression of its coordinates, such as 'x**2 + 10*y**2'")
    found = sorted(expression.free_symbols, key=lambda s: s.name)
    order = found if names is None else list(symbols(*names))
    if set(order) != set(found):
        raise InputError(f"coordinates {[str(c) for c in order]} do not match the symbols of {expression}: {[str(s) for s in found]}")
    return expression, tuple(order)


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
    names = None if coordinates is None else [str(name) for name in coordinates]
    made: Any
    if isinstance(loss, str):  # what the text says has to be worked out once only

        def compute() -> dict[str, Any]:
            expression, order = _read(loss, names)
            return {"text": str(expression), "coordinates": [c.name for c in order]}

        known = kept(["symbolic", loss, repr(names), *definitions()], compute)
        text, order = known["text"], known["coordinates"]
        made = Formula(objective, (loss,)), Formula(symbols, tuple(order))
    else:
        made = _read(loss, names)
        text, order = str(made[0]), made[1]
    sigma, law = read_noise(noise, noise_law)
    start = Start.read(theta0, len(order))
    options = {"loss": text} | noise_options(sigma, law) | start.option(1.0)
    return Expression(
        name="symbolic", dim=len(order), start=start, noise=sigma, noise_law=law,
        minimum=None if minimum is None else real(minimum, "minimum"), options=options, loss=made[0], coordinates=made[1],
    )  # fmt: skip
