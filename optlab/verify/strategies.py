"""Hypothesis strategies for everything that optlab speaks of; each shrinks to the plainest case (SGD, defaults, one coordinate, zeros).

>>> from hypothesis import find, settings
>>> find(rules(), lambda rule: True).label(), find(spectra(), lambda s: True), find(gradient_sequences(), lambda g: True).tolist()
('sgd', [1.0], [[0.0]])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from optlab import rules as _rules
from optlab import schedules as _schedules
from optlab.analysis import is_linear
from optlab.expressions import Parameter, Rule, Schedule, exact
from optlab.problems.least_squares import squared_error
from optlab.symbols import y, z

__all__ = ["Batch", "DataSet", "batches", "data_sets", "gradient_sequences", "hyperparameters", "rules", "schedules", "spectra"]

_MANTISSAS = (1, 2, 5)


def _number(parameter: Parameter) -> st.SearchStrategy[str]:
    """A number of its domain, as exact text: the default first, if there is one."""
    domain = parameter.domain
    low, high = domain.inf, domain.sup
    if parameter.integer:
        drawn = st.integers(int(low), int(low) + 200).map(str)
    elif high.is_finite:
        steps = st.integers(0 if not domain.left_open else 1, 1000 if not domain.right_open else 999)
        drawn = steps.map(lambda k: str(low + (high - low) * k / 1000))
    else:
        sizes = st.tuples(st.sampled_from(_MANTISSAS), st.integers(-8, 0)).map(lambda pair: f"{pair[0]}e{pair[1]}")
        drawn = sizes if domain.left_open else st.one_of(st.just("0"), sizes)
    return drawn if parameter.default is None else st.one_of(st.just(str(parameter.default)), drawn)


def hyperparameters(rule: Rule | str) -> st.SearchStrategy[dict[str, str]]:
    """Values for every hyper-parameter of a rule, inside their domains, as ``rule.with_(**values)`` takes them.

    Shrinks to the defaults.

    >>> from hypothesis import find
    >>> find(hyperparameters("adam"), lambda values: True)
    {'beta1': '9/10', 'beta2': '999/1000', 'eps': '1/100000000'}
    """
    return st.fixed_dictionaries({str(key): _number(record) for key, record in _rules.get(rule).parameters.items()})


@st.composite
def rules(draw: st.DrawFn, *, linear: bool | None = None) -> Rule:
    """A built-in rule in one of its spellings, with hyper-parameters inside their domains; ``linear=True`` for the exactly predictable.

    Shrinks towards SGD, and towards the rule's defaults.

    >>> from hypothesis import find
    >>> find(rules(linear=True), lambda rule: True).label()
    'sgd'
    """
    chosen = [rule for rule in _rules.builtin() if linear is None or is_linear(rule) == linear]
    rule = draw(st.sampled_from(chosen))
    spelled = {variant: draw(st.sampled_from(list(options))) for variant, options in rule.variants.items()}
    values = draw(hyperparameters(rule))
    changed = {key: value for key, value in values.items() if rule.parameters[_symbol(rule, key)].default != exact(value)}
    return rule.with_(**spelled, **changed)


def _symbol(rule: Rule, name: str) -> Any:
    return next(key for key in rule.parameters if str(key) == name)


@st.composite
def schedules(draw: st.DrawFn, *, largest: float = 1.0) -> Schedule:
    """A built-in schedule with rates of at most ``largest``. Shrinks to a constant one.

    >>> from hypothesis import find
    >>> find(schedules(), lambda schedule: schedule.name != "constant").label()
    'inverse_sqrt(a=0)'
    """
    schedule = draw(st.sampled_from(_schedules.builtin()))
    share = st.integers(0, 100).map(lambda k: largest * k / 100)
    options: dict[str, Any] = {}
    for key, record in schedule.parameters.items():
        name = str(key)
        if name == "t0":
            options[name] = draw(st.integers(1, 100))
        elif name == "c":
            options[name] = draw(share)
        elif record.integer or name == "rise":
            options[name] = draw(_number(record))
        else:
            options[name] = draw(share)
    if "warmup" in options:  # the rise is no longer than the schedule
        options["steps"] = str(max(int(options["steps"]), int(options["warmup"]) + 1))
    return schedule.with_(**options)


@st.composite
def spectra(draw: st.DrawFn, *, largest_dim: int = 8, largest_condition_number: float = 1e4) -> list[float]:
    """The curvatures of a quadratic, from largest (1) to smallest (1 over the condition number), repeated ones among them.

    Shrinks to the single curvature 1.

    >>> from hypothesis import find
    >>> find(spectra(), lambda curvatures: len(curvatures) > 1)
    [1.0, 1.0]
    """
    exponent = st.integers(0, round(10 * np.log10(largest_condition_number)))
    drawn = draw(st.lists(exponent, max_size=largest_dim - 1))
    return [1.0, *sorted((float(10 ** (-k / 10)) for k in drawn), reverse=True)]


@dataclass(frozen=True)
class DataSet:
    """Rows of a table: ``X`` of shape (n, features), ``y`` of shape (n,)."""

    X: np.ndarray
    y: np.ndarray

    def sample_gradients(self, theta: np.ndarray) -> np.ndarray:
        """Each row's gradient of (x . theta - y)^2 / 2, shape (n, features): what ``check_gradient_estimator`` takes.

        >>> DataSet(np.array([[2.0]]), np.array([1.0])).sample_gradients(np.array([3.0]))
        array([[10.]])
        """
        slope = sp.lambdify((z, y), sp.diff(squared_error("half"), z), "numpy")
        return slope(self.X @ theta, self.y)[:, None] * self.X


_SIMPLE = st.integers(-40, 40).map(lambda k: k / 4)


@st.composite
def data_sets(draw: st.DrawFn, *, largest: int = 30, largest_features: int = 4) -> DataSet:
    """Tables of 2 to ``largest`` rows of quarters between -10 and 10, equal and zero rows among them. Shrinks to two rows of zeros.

    >>> from hypothesis import find
    >>> find(data_sets(), lambda data: True).X.tolist()
    [[0.0], [0.0]]
    """
    n, features = draw(st.integers(2, largest)), draw(st.integers(1, largest_features))
    return DataSet(draw(arrays(float, (n, features), elements=_SIMPLE)), draw(arrays(float, n, elements=_SIMPLE)))


@dataclass(frozen=True)
class Batch:
    """Indices of the rows in a batch, and how they were sampled: ``"replacement"`` or ``"subset"``."""

    indices: np.ndarray
    sampling: str


@st.composite
def batches(draw: st.DrawFn, n: int) -> Batch:
    """A batch of 1 to n out of n rows, with or without replacement. Shrinks to row 0 alone.

    >>> from hypothesis import find
    >>> find(batches(5), lambda batch: len(batch.indices) > 1).indices.tolist()
    [0, 0]
    """
    sampling = draw(st.sampled_from(["replacement", "subset"]))
    index = st.integers(0, n - 1)
    indices = draw(st.lists(index, min_size=1, max_size=n, unique=sampling == "subset"))
    return Batch(np.array(indices), sampling)


@st.composite
def gradient_sequences(draw: st.DrawFn, *, largest_steps: int = 30, coordinates: int = 1) -> np.ndarray:
    """Gradients of shape (steps, coordinates): zeros, ones, sizes from 1e-12 to 1e6 of both signs. Shrinks to one zero.

    >>> from hypothesis import find
    >>> find(gradient_sequences(coordinates=2), lambda g: bool((g < 0).any())).tolist()
    [[0.0, -1.0]]
    """
    sized = st.tuples(st.sampled_from([1.0, -1.0]), st.sampled_from(_MANTISSAS), st.integers(-12, 6))
    number = st.one_of(st.just(0.0), st.sampled_from([1.0, -1.0]), sized.map(lambda part: part[0] * part[1] * 10.0 ** part[2]))
    row = st.lists(number, min_size=coordinates, max_size=coordinates)
    return np.array(draw(st.lists(row, min_size=1, max_size=largest_steps)), float)
