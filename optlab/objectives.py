"""The records of what is minimized. Four shapes cover the problems; each holds expressions and plain numbers only.

===================  =================================================  =====================================
record               objective                                          expression it holds
===================  =================================================  =====================================
``Separable``        ``f = sum_i phi((Q theta)_i; lam_i)``              ``phi(z, lam)``, Q a rotation or I
``Rows``             ``f = mean_r l(x_r . theta, y_r)``                 ``l(z, y)``, mini-batches of rows
``Fresh``            ``f = E l(x . theta, y)``, new x, y every batch    ``l(z, y)``, ``x`` and ``y`` of draws
``Expression``       ``f(theta_0, ..., theta_{d-1})``                   ``f``
===================  =================================================  =====================================

Gradients are never given: they are the derivatives of these expressions. A record of a built-in problem writes its expressions
when they are read, and what is known of them (their text, whether they are quadratic) is kept on disk: SymPy is imported
only where it is needed.
"""

from __future__ import annotations

import hashlib
import json
import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from optlab.calls import parse_call
from optlab.errors import InputError, UnknownNameError
from optlab.formulas import Formula, Written
from optlab.kept_facts import digest, kept, sympy_version

if TYPE_CHECKING:
    import sympy as sp

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


LAWS = ("gaussian", "student_t", "multiplicative")


@dataclass(frozen=True)
class NoiseLaw:
    """How gradient noise is distributed. ``sigma`` is the problem's ``noise``, B the batch; coordinates are independent.

    =================  ==========================================================================================
    law                gradient of a batch, coordinate by coordinate
    =================  ==========================================================================================
    gaussian           ``g + sigma/sqrt(B) N(0, 1)``
    student_t(dof=5)   ``g + sigma`` times the mean of B independent draws of Student's t, each scaled to variance 1
    multiplicative     ``g (1 + sigma/sqrt(B) N(0, 1))``: noise in proportion to the gradient, none at the minimum
    =================  ==========================================================================================

    Raises UnknownNameError for another law, InputError for ``dof`` that is not above 2 (no variance) or that the law does not have.

    >>> NoiseLaw.read("student_t(dof=3)"), str(NoiseLaw.read("student_t"))
    (NoiseLaw(kind='student_t', dof=3.0), 'student_t(dof=5)')
    """

    kind: str = "gaussian"
    dof: float | None = None  #: degrees of freedom of Student's t

    def __post_init__(self) -> None:
        if self.kind not in LAWS:
            raise UnknownNameError("noise_law", self.kind, LAWS)
        if self.kind != "student_t":
            if self.dof is not None:
                raise InputError(f"noise_law = {self.kind}: dof = {self.dof!r} means nothing here, only student_t has degrees of freedom")
            return
        dof = real(5.0 if self.dof is None else self.dof, "noise_law: dof")
        if dof <= 2:
            raise InputError(f"noise_law = student_t(dof={self.dof!r}) has no variance: dof must be above 2")
        object.__setattr__(self, "dof", dof)

    @staticmethod
    def read(law: object) -> NoiseLaw:
        """From its name or call, such as ``"student_t(dof=3)"``; a NoiseLaw passes through."""
        if isinstance(law, NoiseLaw):
            return law
        if not isinstance(law, str):
            raise InputError(f"noise_law = {law!r} is no law: give one of {', '.join(LAWS)}")
        kind, options, positional = parse_call(law)
        if kind not in LAWS:
            raise UnknownNameError("noise_law", kind, LAWS)
        if positional or options.keys() - {"dof"}:
            raise InputError(f"noise_law = {law!r}: the only option is dof, by name, as in 'student_t(dof=5)'")
        return NoiseLaw(kind, **options)

    @property
    def unit(self) -> float:
        """What a draw of the law's standard distribution is multiplied by to have variance 1: sqrt((dof - 2)/dof) for Student's t."""
        return 1.0 if self.dof is None else math.sqrt((self.dof - 2) / self.dof)

    @property
    def additive(self) -> bool:
        """Whether the noise is added to the gradient, with variance sigma^2/B whatever the gradient is."""
        return self.kind != "multiplicative"

    def __str__(self) -> str:
        return self.kind if self.dof is None else f"{self.kind}(dof={repr(self.dof).removesuffix('.0')})"


GAUSSIAN = NoiseLaw()


def read_noise(noise: object, law: object) -> tuple[float, NoiseLaw]:
    """The options ``noise`` and ``noise_law`` of a problem, checked. Raises InputError for a law other than the default without noise."""
    sigma, read = real(noise, "noise", low=0), NoiseLaw.read(law)
    if read != GAUSSIAN and not sigma:
        raise InputError(f"noise_law = {str(read)!r} needs noise above 0: give noise=...")
    return sigma, read


def noise_options(sigma: float, law: NoiseLaw) -> dict[str, Any]:
    """What to say of the noise among a problem's options: nothing where it is the default."""
    return ({"noise": sigma} if sigma else {}) | ({} if law == GAUSSIAN else {"noise_law": str(law)})


@cache
def definitions() -> tuple[str, str]:
    """What the expressions of built-in problems depend on: the bytes of the files that write them, and SymPy's version."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in ("objectives", "formulas", "symbols")]
    return digest([*files, *sorted((here / "problems").glob("*.py"))]), sympy_version()


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What every problem has. ``noise`` is the per-sample standard deviation of gradient noise, per coordinate, under ``noise_law``."""

    name: str
    dim: int
    start: Start
    noise: float = 0.0
    noise_law: NoiseLaw = GAUSSIAN
    minimum: float | None = None  #: the least value of the objective where it is known
    options: Mapping[str, Any] = field(default_factory=dict)  #: how it was made, for labels and cell specs
    shape: ClassVar[str]
    written: ClassVar[tuple[str, ...]] = ()  #: the fields that hold expressions, given as such or as a Formula

    def __init_subclass__(cls) -> None:
        for name in vars(cls).get("written", ()):
            setattr(cls, name, Written(name))

    def label(self) -> str:
        """Its name and options, short."""
        shown = ", ".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.name}({shown})"

    def expressions(self) -> dict[str, sp.Expr]:
        """The expressions that define it, by role."""
        raise NotImplementedError

    def numbers(self) -> dict[str, Any]:
        """Everything else that defines it, as JSON values."""
        law = {} if self.noise_law == GAUSSIAN else {"noise_law": str(self.noise_law)}
        return {"dim": self.dim, "start": self.start.point, "scatter": self.start.scatter, "noise": self.noise} | law

    @property
    def form(self) -> tuple[Any, ...] | None:
        """The names of its expressions, as JSON values: equal forms have equal expressions. None where one was given by hand.

        >>> from optlab import problems
        >>> problems.get("quadratic(condition_number=10, dim=2)").form
        ('separable', ('optlab.problems.quadratic.piece',))
        """
        formulas = [vars(self)[name] for name in self.written]
        if type(self).__module__ != __name__ or not all(
            isinstance(formula, Formula) and formula.maker.__module__.startswith("optlab.problems.") for formula in formulas
        ):
            return None
        return (self.shape, *(formula.name for formula in formulas))

    def _facts(self) -> dict[str, Callable[[], Any]]:
        """What can be known of its expressions alone, as JSON values by name."""
        return {"expressions": self._texts}

    def _texts(self) -> dict[str, str]:
        import sympy as sp

        return {role: sp.srepr(formula) for role, formula in self.expressions().items()}

    def _fact(self, name: str) -> Any:
        """One of the facts: kept on disk by its form, so that SymPy is not imported for a form that has been met before."""
        facts, form = self._facts(), self.form
        if form is None:
            return facts[name]()
        return kept(["problem", json.dumps(form), *definitions()], lambda: {key: derive() for key, derive in facts.items()})[name]

    @property
    def fingerprint(self) -> str:
        """A short hash of the mathematics and the data."""
        text = json.dumps([self._fact("expressions"), self.numbers(), self.shape], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problem) and self.fingerprint == other.fingerprint


def _pieces(loss: sp.Expr) -> dict[str, sp.Expr]:
    """A loss of the prediction z, with its first two derivatives."""
    import sympy as sp

    from optlab.symbols import z

    return {"loss": loss, "gradient": sp.diff(loss, z), "curvature": sp.diff(loss, z, 2)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Separable(Problem):
    """``f = sum_i phi(z_i; lam_i)`` with ``z = Q theta``: Q the identity, or a random rotation drawn from ``rotation``."""

    loss: sp.Expr
    spectrum: tuple[float, ...]
    rotation: int | None = None
    shape: ClassVar[str] = "separable"
    written: ClassVar[tuple[str, ...]] = ("loss",)

    def expressions(self) -> dict[str, sp.Expr]:
        return _pieces(self.loss)

    def numbers(self) -> dict[str, Any]:
        return super().numbers() | {"spectrum": self.spectrum, "rotation": self.rotation}

    @property
    def is_quadratic(self) -> bool:
        """Whether phi is lam/2 z^2, so that the spectrum holds the curvatures."""
        return bool(self._fact("is_quadratic"))

    def _facts(self) -> dict[str, Callable[[], Any]]:
        return super()._facts() | {"is_quadratic": self._quadratic}

    def _quadratic(self) -> bool:
        import sympy as sp

        from optlab.symbols import lam, z

        return bool(sp.expand(self.loss - lam * z**2 / 2) == 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows(Problem):
    """``f = mean_r l(x_r . theta, y_r)`` over the rows of a table, with mini-batches of rows."""

    loss: sp.Expr
    rows: array[float]  #: n * dim numbers, row by row
    targets: array[float]
    sampling: str = "replacement"
    shape: ClassVar[str] = "rows"
    written: ClassVar[tuple[str, ...]] = ("loss",)

    def __post_init__(self) -> None:
        if self.sampling not in SAMPLINGS:
            raise InputError(f"sampling = {self.sampling!r} is unknown: use one of {', '.join(SAMPLINGS)}")

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.targets)

    @property
    def is_quadratic(self) -> bool:
        """Whether l is quadratic in the prediction z with one curvature for every row, so that the Hessian is constant."""
        return bool(self._fact("is_quadratic"))

    def _facts(self) -> dict[str, Callable[[], Any]]:
        return super()._facts() | {"is_quadratic": self._quadratic}

    def _quadratic(self) -> bool:
        import sympy as sp

        curvature = sp.expand(self.expressions()["curvature"])
        return bool(curvature.is_number and curvature != 0)

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
    written: ClassVar[tuple[str, ...]] = ("loss", "uniform", "normal", "features", "target", "coordinates")

    def expressions(self) -> dict[str, sp.Expr]:
        import sympy as sp

        from optlab.symbols import z

        features = {f"feature{i}": expression for i, expression in enumerate(self.features)}
        return {"loss": self.loss, "gradient": sp.diff(self.loss, z), "target": self.target, **features}

    def objective(self) -> sp.Expr:
        """The population loss as an expression in the coordinates: the integral of l over both draws, by SymPy."""
        import sympy as sp

        from optlab.symbols import y, z

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
    written: ClassVar[tuple[str, ...]] = ("loss", "coordinates")

    def expressions(self) -> dict[str, sp.Expr]:
        import sympy as sp

        gradient = {f"gradient{i}": sp.diff(self.loss, c) for i, c in enumerate(self.coordinates)}
        return {"loss": self.loss, **gradient}
