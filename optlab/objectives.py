"""The records of what is minimized. Four shapes cover the problems; each holds expressions and plain numbers only.

===================  =================================================  =====================================
record               objective                                          expression it holds
===================  =================================================  =====================================
``Separable``        ``f = sum_i phi((Q theta)_i; lam_i)``              ``phi(z, lam)``, Q a rotation or I
``Rows``             ``f = mean_r l(x_r . theta, y_r)``                 ``l(z, y)``, mini-batches of rows
``Fresh``            ``f = E l(x . theta, y)``, new x, y every batch    ``l(z, y)``, ``x`` and ``y`` of draws
``Expression``       ``f(theta_0, ..., theta_{d-1})``                   ``f``
===================  =================================================  =====================================

Gradients are never given: they are the derivatives of these expressions.
"""

from __future__ import annotations

import hashlib
import json
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, ClassVar

import sympy as sp

from optlab.errors import InputError
from optlab.symbols import lam, y, z

SAMPLINGS = ("replacement", "subset", "reshuffle")


def real(value: object, what: str, *, low: float = -math.inf, strict: bool = False) -> float:
    """``value`` as a finite float of at least ``low``; InputError naming it otherwise."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"{what} = {value!r} is not a number") from None
    if not math.isfinite(number) or number < low or (strict and number == low):
        bound = "" if low == -math.inf else f" {'above' if strict else 'of at least'} {low:g}"
        raise InputError(f"{what} = {value!r} must be a finite number{bound}")
    return number


def whole(value: object, what: str, *, low: int = 1) -> int:
    """``value`` as an int of at least ``low``; InputError naming it otherwise."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value) or value != math.floor(value) or value < low:
        raise InputError(f"{what} = {value!r} must be a whole number of at least {low}")
    return int(value)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Start:
    """Where runs start: a fixed point, plus an optional Gaussian scatter of standard deviation ``scatter``."""

    point: tuple[float, ...]
    scatter: float = 0.0

    def option(self, default: float) -> dict[str, Any]:
        """What to say of it among a problem's options: nothing where it is the default."""
        if self.scatter:
            return {"theta0": "normal"}
        same = len(set(self.point)) == 1
        return {} if same and self.point[0] == default else {"theta0": self.point[0] if same else list(self.point)}

    @staticmethod
    def read(theta0: object, dim: int) -> Start:
        """From the option ``theta0``: a number for all coordinates, one number each, or ``"normal"`` for N(0, 1)."""
        if hasattr(theta0, "tolist"):  # NumPy without importing it
            theta0 = theta0.tolist()
        if isinstance(theta0, Start):
            start = theta0
        elif isinstance(theta0, str) and theta0 == "normal":
            start = Start((0.0,) * dim, 1.0)
        elif isinstance(theta0, (int, float)) and not isinstance(theta0, bool):
            start = Start((real(theta0, "theta0"),) * dim)
        elif isinstance(theta0, Sequence) and not isinstance(theta0, str):
            start = Start(tuple(real(value, f"theta0[{i}]") for i, value in enumerate(theta0)))
        else:
            raise InputError(f"theta0 = {theta0!r} is not a start: give a number, one number per coordinate, or 'normal'")
        if len(start.point) != dim:
            raise InputError(f"theta0 has {len(start.point)} numbers but the problem has {dim} coordinates")
        return start


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What every problem has. ``noise`` is the per-sample standard deviation of additive gradient noise, per coordinate."""

    name: str
    dim: int
    start: Start
    noise: float = 0.0
    minimum: float | None = None  #: the least value of the objective where it is known
    options: Mapping[str, Any] = field(default_factory=dict)  #: how it was made, for labels and cell specs
    shape: ClassVar[str]

    def label(self) -> str:
        """Its name and options, short."""
        shown = ", ".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.name}({shown})"

    def expressions(self) -> dict[str, sp.Expr]:
        """The expressions that define it, by role."""
        raise NotImplementedError

    def numbers(self) -> dict[str, Any]:
        """Everything else that defines it, as JSON values."""
        return {"dim": self.dim, "start": self.start.point, "scatter": self.start.scatter, "noise": self.noise}

    @property
    def fingerprint(self) -> str:
        """A short hash of the mathematics and the data."""
        text = json.dumps([{k: sp.srepr(v) for k, v in self.expressions().items()}, self.numbers(), self.shape], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problem) and self.fingerprint == other.fingerprint


def _pieces(loss: sp.Expr) -> dict[str, sp.Expr]:
    """A loss of the prediction z, with its first two derivatives."""
    return {"loss": loss, "gradient": sp.diff(loss, z), "curvature": sp.diff(loss, z, 2)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Separable(Problem):
    """``f = sum_i phi(z_i; lam_i)`` with ``z = Q theta``: Q the identity, or a random rotation drawn from ``rotation``."""

    loss: sp.Expr
    spectrum: tuple[float, ...]
    rotation: int | None = None
    shape: ClassVar[str] = "separable"

    def expressions(self) -> dict[str, sp.Expr]:
        return _pieces(self.loss)

    def numbers(self) -> dict[str, Any]:
        return super().numbers() | {"spectrum": self.spectrum, "rotation": self.rotation}

    @property
    def is_quadratic(self) -> bool:
        """Whether phi is lam/2 z^2, so that the spectrum holds the curvatures."""
        return bool(sp.expand(self.loss - lam * z**2 / 2) == 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows(Problem):
    """``f = mean_r l(x_r . theta, y_r)`` over the rows of a table, with mini-batches of rows."""

    loss: sp.Expr
    rows: array[float]  #: n * dim numbers, row by row
    targets: array[float]
    sampling: str = "replacement"
    shape: ClassVar[str] = "rows"

    def __post_init__(self) -> None:
        if self.sampling not in SAMPLINGS:
            raise InputError(f"sampling = {self.sampling!r} is unknown: use one of {', '.join(SAMPLINGS)}")

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.targets)

    def expressions(self) -> dict[str, sp.Expr]:
        return _pieces(self.loss)

    def numbers(self) -> dict[str, Any]:
        digest = hashlib.sha256(self.rows.tobytes() + self.targets.tobytes()).hexdigest()[:16]
        return super().numbers() | {"table": digest, "n": self.n, "sampling": self.sampling}


@dataclass(frozen=True, kw_only=True, eq=False)
class Fresh(Problem):
    """``f = E l(features . theta, target)`` with new draws in every batch: ``uniform`` on (-1, 1), ``normal`` N(0, 1)."""

    loss: sp.Expr
    uniform: sp.Symbol
    normal: sp.Symbol
    features: tuple[sp.Expr, ...]
    target: sp.Expr
    coordinates: tuple[sp.Symbol, ...]
    shape: ClassVar[str] = "fresh"

    def expressions(self) -> dict[str, sp.Expr]:
        features = {f"feature{i}": expression for i, expression in enumerate(self.features)}
        return {"loss": self.loss, "gradient": sp.diff(self.loss, z), "target": self.target, **features}

    def objective(self) -> sp.Expr:
        """The population loss as an expression in the coordinates: the integral of l over both draws, by SymPy."""
        prediction = sum(c * feature for c, feature in zip(self.coordinates, self.features, strict=True))
        sample = sp.expand(self.loss.subs({z: prediction, y: self.target}))
        moments = sp.Poly(sample, self.normal).all_coeffs()[::-1]
        over_noise = sum(c * (sp.factorial2(k - 1) if k % 2 == 0 else 0) for k, c in enumerate(moments))  # E e^k = (k-1)!!
        return sp.expand(sp.integrate(over_noise, (self.uniform, -1, 1)) / 2)


@dataclass(frozen=True, kw_only=True, eq=False)
class Expression(Problem):
    """Any objective given as an expression of its coordinates."""

    loss: sp.Expr
    coordinates: tuple[sp.Symbol, ...]
    shape: ClassVar[str] = "expression"

    def expressions(self) -> dict[str, sp.Expr]:
        gradient = {f"gradient{i}": sp.diff(self.loss, c) for i, c in enumerate(self.coordinates)}
        return {"loss": self.loss, **gradient}
