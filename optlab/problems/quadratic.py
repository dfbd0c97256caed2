"""Quadratics ``f = 1/2 sum_i lam_i z_i^2`` of a given spectrum, axis-aligned or rotated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from optlab.errors import InputError, UnknownNameError
from optlab.formulas import Formula
from optlab.objectives import NoiseLaw, Separable, Start, noise_options, read_noise, real, whole

if TYPE_CHECKING:
    import sympy as sp

SPECTRA = ("log", "two_point", "uniform")


def piece() -> sp.Expr:
    """The loss of one eigen-direction, ``lam z^2 / 2``."""
    from optlab.symbols import lam, z

    return lam * z**2 / 2


LARGEST_DIM = 10**6


def curvatures(kind: str, condition_number: float, dim: int, largest: float = 1.0) -> tuple[float, ...]:
    """``dim`` curvatures from largest/condition_number to largest: log-spaced, half at each end, or evenly spaced.

    >>> curvatures("two_point", 10, 4)
    (0.1, 0.1, 1.0, 1.0)
    """
    if kind not in SPECTRA:
        raise UnknownNameError("spectrum", kind, SPECTRA)
    if dim == 1:
        if condition_number != 1:
            raise InputError(f"condition_number = {condition_number:g} needs dim >= 2: one curvature has condition number 1")
        return (largest,)
    smallest = largest / condition_number
    places = [i / (dim - 1) for i in range(dim)]
    if kind == "log":
        inner = [largest * condition_number ** (place - 1) for place in places[1:-1]]
    elif kind == "uniform":
        inner = [smallest + (largest - smallest) * place for place in places[1:-1]]
    else:
        inner = [smallest if place < 0.5 else largest for place in places[1:-1]]
    return (smallest, *inner, largest)


def quadratic(
    *,
    spectrum: str | Sequence[float] = "log",
    condition_number: float | None = None,
    dim: int | None = None,
    L: float = 1.0,
    rotation: int | bool | None = None,
    noise: float = 0.0,
    noise_law: str | NoiseLaw = "gaussian",
    theta0: Any = 1.0,
) -> Separable:
    """A quadratic of the given spectrum.

    Parameters
    ----------
    spectrum
        The curvatures themselves, or ``"log"``, ``"two_point"`` or ``"uniform"`` with ``condition_number`` and ``dim``.
    condition_number, dim, L
        The named spectra lie in [L/condition_number, L].
    rotation
        None for axis-aligned; an int seeds a random rotation (Haar-distributed). Adam and its kin see the difference.
    noise
        Standard deviation of the gradient noise of one sample, per coordinate; a batch of B divides its variance by B.
    noise_law
        ``"gaussian"``, ``"student_t(dof=5)"`` (heavy tails, any dof > 2) or ``"multiplicative"`` (in proportion to the gradient);
        see :class:`optlab.objectives.NoiseLaw`.
    theta0
        The start: a number for every coordinate, one number each, or ``"normal"``. In the parameters' own axes.

    Raises InputError for a curvature <= 0 or a condition number < 1.

    >>> quadratic(condition_number=100, dim=3).spectrum
    (0.01, 0.1, 1.0)
    """
    options: dict[str, Any] = {}
    if isinstance(spectrum, str):
        kappa = 1.0 if condition_number is None else real(condition_number, "condition_number", low=1)
        size = whole(dim if dim is not None else (1 if kappa == 1 else 2), "dim")
        if size > LARGEST_DIM:
            raise InputError(f"dim = {size} must be at most {LARGEST_DIM}: every curvature is a number of its own")
        values = curvatures(spectrum, kappa, size, real(L, "L", low=0, strict=True))
        options |= {"condition_number": kappa, "dim": size} | ({} if spectrum == "log" else {"spectrum": spectrum})
        options |= {} if L == 1 else {"L": float(L)}
    else:
        if condition_number is not None or (dim is not None and dim != len(spectrum)):
            raise InputError("give either a spectrum of numbers, or its name with condition_number and dim; not both")
        values = tuple(real(value, f"spectrum[{i}]", low=0, strict=True) for i, value in enumerate(spectrum))
        if not values:
            raise InputError("spectrum is empty: give at least one curvature")
        options["spectrum"] = list(values)
    seed = None if rotation is None or rotation is False else 1 if rotation is True else whole(rotation, "rotation", low=0)
    options |= {} if seed is None else {"rotation": seed}
    sigma, law = read_noise(noise, noise_law)
    options |= noise_options(sigma, law)
    start = Start.read(theta0, len(values))
    options |= start.option(1.0)
    return Separable(
        name="quadratic", dim=len(values), start=start, noise=sigma, noise_law=law, minimum=0.0,
        options=options, loss=Formula(piece), spectrum=values, rotation=seed,
    )  # fmt: skip
