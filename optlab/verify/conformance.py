"""Every dialect against the library it speaks of: the generated update and the real optimizer, fed the same gradients."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import sympy as sp

from optlab import norms, rules, schedules
from optlab.codegen.module import load
from optlab.codegen.rules import constants_of, module_source
from optlab.dialects import Dialect
from optlab.ensemble.bind import initial_states, step_table
from optlab.ensemble.philox import read_seed
from optlab.errors import MissingDependencyError, UnknownNameError
from optlab.expressions import Rule, exact
from optlab.libraries import LIBRARIES
from optlab.rosetta.forms import Form, all_forms
from optlab.rosetta.search import is_memory
from optlab.symbols import alpha
from optlab.verify.drivers import needed, run
from optlab.verify.drivers.keras import import_keras
from optlab.verify.layers import norm_deviation, norm_dialects, quietly, schedule_deviation, schedule_dialects
from optlab.verify.rules import run_generated

STEPS, COORDINATES, DRAWS = 220, 2, 3
LIMITS = {"float64": 1e-12, "float32": 1e-6}

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Conformance:
    """One dialect held against its library: ``passed`` is None where the library is not there, and nothing was compared.

    ``deviation`` is the largest difference of theta over all steps, coordinates and draws, over the largest theta so far;
    ``worst`` is the call at which it was met.
    """

    kind: str
    name: str
    library: str
    call: str
    dtype: str
    deviation: float | None
    limit: float
    worst: str
    passed: bool | None


def ready(library: str) -> Any:
    """The library, imported: keras on the backend that ``KERAS_BACKEND`` names, else torch, else jax. Raises MissingDependencyError."""
    return import_keras() if library == "keras" else needed(library, "the comparison")


def versions(libraries: Sequence[str] = LIBRARIES) -> dict[str, str | None]:
    """The installed version of each library (and of what it computes with), None for one that is missing."""
    found: dict[str, str | None] = {}
    for name in libraries:
        for part in {"optax": ("optax", "jax"), "keras": ("keras",)}.get(name, (name,)):
            try:
                found[part] = version(part)
            except PackageNotFoundError:
                found[part] = None
    return found


def check_dialects(
    libraries: Sequence[str] = LIBRARIES,
    *,
    steps: int = STEPS,
    rng: Any = 0,
    dtypes: Sequence[str] = ("float64", "float32"),
    progress: Progress | None = None,
    names: Sequence[str] | None = None,
) -> list[Conformance]:
    """Hold every dialect of every rule against the real library.

    Gradients are drawn (normal, of sizes 1e-3 to 1e1, some of them zero), learning rates change from step to step, and hyper-parameters
    are the library's defaults once and drawn twice. Both sides run ``steps`` steps from theta = 1 in the same precision; what is compared
    is max |difference of theta| over the largest |theta| so far. In float64 both run free, and the limit is 1e-12. In float32 rounding
    alone walks some 1e-6 apart in so many steps, so theta (not the states) takes the library's value before every step; limit 1e-6.

    Raises UnknownNameError for a library that has no dialects here.
    """  # fmt: skip
    for name in libraries:
        if name not in LIBRARIES:
            raise UnknownNameError("library", name, LIBRARIES)
    kept = None if names is None else {rules.get(name).name for name in names}
    jobs = [(f, dtype) for name in libraries for f in all_forms(name) if kept is None or f.base.name in kept for dtype in dtypes]
    out = []
    for done, (form, dtype) in enumerate(jobs):
        if progress:
            progress(done, len(jobs), form.name)
        out.append(check_form(form, dtype, steps=steps, rng=rng))
    return out


def check_form(form: Form, dtype: str = "float64", *, steps: int = STEPS, rng: Any = 0, draws: int = DRAWS) -> Conformance:
    """One spelling against its library; see :func:`check_dialects`."""
    assert form.dialect is not None
    generator = np.random.default_rng([read_seed(rng), *form.name.encode()])
    label = form.rule.name if form.decayed else form.base.name
    worst, at = -1.0, ""
    try:
        for number in range(draws):
            numbers = drawn(form, generator, number > 0)
            deviation = deviation_of(form, numbers, generator, dtype, steps)
            if not deviation <= worst:
                worst, at = deviation, form.line(numbers)
    except MissingDependencyError:
        return Conformance("rule", label, form.library, form.line({}), dtype, None, LIMITS[dtype], "", None)
    return Conformance("rule", label, form.library, form.line({}), dtype, worst, LIMITS[dtype], at, bool(worst <= LIMITS[dtype]))


def drawn(form: Form, generator: np.random.Generator, random: bool) -> dict[sp.Symbol, sp.Expr]:
    """Hyper-parameters: the library's defaults, or drawn where it has an option for them. Where weight decay is on, it is positive."""
    numbers = dict(form.defaults)
    for key in form.free:
        record = form.rule.parameters[key]
        if random and is_memory(record):
            value = generator.uniform(0.3, 0.99)
        elif random and key.name in ("eps", "eps_root"):
            value = 10 ** generator.uniform(-8, -3)
        elif random or key.name == "wd":
            value = 10 ** generator.uniform(-3, -1)
        else:
            continue
        numbers[key] = exact(f"{value:.4g}")
    return numbers


def deviation_of(form: Form, numbers: dict[sp.Symbol, sp.Expr], generator: np.random.Generator, dtype: str, steps: int) -> float:
    """The largest difference of theta between the generated code and the library, over the largest theta so far."""
    gradients = generator.normal(size=(steps, COORDINATES)) * 10 ** generator.uniform(-3, 1, (1, COORDINATES))
    gradients[1:][generator.random((steps - 1, COORDINATES)) < 0.05] = 0.0
    gradients = gradients.astype(dtype).astype(np.float64)
    rates = 10 ** generator.uniform(-4, -2, steps)
    with working_in(form.library, dtype):
        theirs = run(factory(form, numbers), gradients, rates, framework=form.library, dtype=dtype)[1:]
    bound = form.rule.with_(**{str(key): value for key, value in numbers.items()})
    led = [theirs[:, i] if dtype == "float32" else None for i in range(COORDINATES)]
    ours = np.stack([_generated(bound, gradients[:, i], rates, dtype, led[i]) for i in range(COORDINATES)], axis=1)
    size = np.maximum.accumulate(np.maximum(np.abs(ours), 1.0), axis=0)  # theta starts at 1
    return float(np.max(np.abs(theirs - ours) / size))


def _generated(rule: Rule, gradients: np.ndarray, rates: np.ndarray, dtype: str, led: np.ndarray | None) -> np.ndarray:
    """theta after every step of the generated code; with ``led`` each step starts from that theta, states run free."""
    if led is None:
        return run_generated(rule, gradients, rates, dtype)[:, 0]
    update, real = load(module_source(rule.unbound(), dtype), (), "rule").update, np.dtype(dtype).type
    constants = [real(value) for value in constants_of(rule)]
    table, states = step_table(rule, rates).astype(dtype), [real(value) for value in initial_states(rule)]
    out = []
    for gradient, scalars, begin in zip(gradients, table, (1.0, *led[:-1]), strict=True):
        new = update(real(gradient), real(begin), *states, *constants, *scalars)
        after, *states = new if isinstance(new, tuple) else (new,)
        states = [real(value) for value in states]
        out.append(float(after))
    return np.array(out)


def factory(form: Form, numbers: dict[sp.Symbol, sp.Expr]) -> Callable[..., Any]:
    """What makes the library's optimizer with these hyper-parameters, as its driver calls it."""
    assert form.dialect is not None
    options = form.keywords({key: value for key, value in numbers.items() if key != alpha})
    module, _, name = form.dialect.call.rpartition(".")

    def make(*arguments: Any, lr: float | None = None) -> Any:
        kind = getattr(importlib.import_module(module), name)
        if form.library == "torch":
            return kind(*arguments, lr=lr, foreach=False, **options)
        before = options.get("weight_decay") if form.chained else None
        made = kind(learning_rate=arguments[0], **{key: value for key, value in options.items() if before is None or key != "weight_decay"})
        return made if before is None else importlib.import_module("optax").chain(_optax_decay(before), made)

    return make


def _optax_decay(weight: float) -> Any:
    """optax's weight decay as a transformation that comes before the optimizer."""
    return importlib.import_module("optax").add_decayed_weights(weight)


@contextmanager
def working_in(library: str, dtype: str) -> Iterator[None]:
    """torch's default type for a while: NAdam keeps its product of momenta in it, whatever the parameters' type."""
    if library != "torch":
        yield
        return
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        yield
        return
    kept = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        yield
    finally:
        torch.set_default_dtype(kept)


def check_layers(libraries: Sequence[str] = LIBRARIES, *, names: Sequence[str] | None = None, rng: Any = 0) -> list[Conformance]:
    """Hold every dialect of the schedules and normalizations against the libraries; see :mod:`optlab.verify.layers`.

    keras computes its normalizations in single precision whatever the layer's type is, so they are compared in float32 alone.
    """
    out = []
    for library in libraries:
        for name, dialect in schedule_dialects(library):
            if names is None or name in names:
                work = partial(schedule_deviation, dialect)
                out.append(_measured("schedule", name, dialect, "float64", work, rng))
        for norm, dialect in norm_dialects(library):
            if names is None or norm.name in names:
                for dtype in ("float32",) if library == "keras" else ("float64", "float32"):
                    work = partial(norm_deviation, norm, dialect, dtype=dtype)
                    out.append(_measured("normalization", norm.name, dialect, dtype, work, rng))
    return out


def _measured(kind: str, name: str, dialect: Dialect, dtype: str, work: Callable[..., float], rng: Any) -> Conformance:
    limit = LIMITS[dtype]
    try:
        with quietly():
            deviation = work(generator=np.random.default_rng([read_seed(rng), *dialect.call.encode()]))
    except MissingDependencyError:
        return Conformance(kind, name, dialect.library, dialect.call, dtype, None, limit, "", None)
    return Conformance(kind, name, dialect.library, dialect.call, dtype, deviation, limit, "", bool(deviation <= limit))


def conformance(
    libraries: Sequence[str] = LIBRARIES, *, names: Sequence[str] | None = None, rng: Any = 0, progress: Progress | None = None
) -> list[Conformance]:
    """Every dialect of every rule, schedule and normalization against the real libraries: what ``optlab verify --against`` does.

    ``names`` keeps those that are named. Raises UnknownNameError for a library or a name that is not known.
    """
    others = {*schedules.names(), *norms.names()}
    chosen = None if names is None else [name for name in names if name not in others]
    found = check_dialects(libraries, names=chosen, rng=rng, progress=progress)
    return found + check_layers(libraries, names=names, rng=rng)
