"""Sharpness along training: the largest eigenvalue of the Hessian, and the value at which a rule stops being stable.

Products with the Hessian are central differences of exact gradients in double precision; the eigenvalue is Lanczos's, with full
reorthogonalization. For a rule that divides by a scale it is the eigenvalue of sqrt(D) H sqrt(D), D the gain of each coordinate at its
present scale. Limits are derived: :func:`optlab.analyze` for linear rules, :func:`optlab.analyze_adaptive` with the scale held fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import sympy as sp
import xarray as xr

from optlab import rules
from optlab.analysis import analyze, is_linear
from optlab.analysis.adaptive import analyze_adaptive
from optlab.analysis.adaptive.frozen import freeze
from optlab.data.batches import ImageBatches
from optlab.data.textures import synthetic
from optlab.experiments.kinds import spec_head
from optlab.experiments.sweep import Cell
from optlab.expressions import Rule
from optlab.nn.models import Model
from optlab.nn.trainer import Trainer
from optlab.symbols import alpha, lam, t

H = 1e-8  #: length of the step of the differences. A rectifier's kink within it would be seen as curvature, so it is short
TOLERANCE = 1e-4  #: relative change of the eigenvalue at which Lanczos ends
LANCZOS = 60  #: most products of one eigenvalue

Product = Callable[[np.ndarray], np.ndarray]


def stability_sharpness(rule: Rule, rate: float) -> float:
    """The sharpness (of an adaptive rule: the preconditioned one) above which the rule at this learning rate is not stable.

    >>> from optlab import rules
    >>> [round(stability_sharpness(rules.get(name), 0.1), 6) for name in ("sgd", "momentum", "adam")]
    [20.0, 38.0, 380.0]
    """
    if is_linear(rule):
        limit = analyze(rule).stability_limit.subs(rule.values)
        (found,) = sp.solve(sp.Eq(limit, alpha), lam)
    else:
        found = analyze_adaptive(rule)["sharpness_threshold"].expression.subs(rule.values)
    return float(found.subs({alpha: sp.Float(rate)}))


def gain(rule: Rule) -> Callable[[np.ndarray, int], np.ndarray] | None:
    """What an adaptive rule multiplies each coordinate by beside alpha, of (its states in rows, steps done); None for a linear rule."""
    if is_linear(rule):
        return None
    frozen, states = freeze(rule), list(rule.coordinate_states)
    equations = dict(rule.equations)
    meaning = frozen.P[frozen.held_at]
    while meaning.free_symbols & (equations.keys() - set(states)):  # such as vhat: what it is made of after the step
        meaning = meaning.xreplace({s: equations[s] for s in meaning.free_symbols & (equations.keys() - set(states))})
    expression = frozen.gain.xreplace({frozen.held_at: meaning}).subs(rule.values)
    function = sp.lambdify([*states, t], expression, "numpy")
    return lambda rows, step: np.asarray(function(*rows, step))


def largest_eigenvalue(product: Product, start: np.ndarray) -> tuple[float, np.ndarray, int]:
    """(eigenvalue, its vector, products) of a symmetric operator: the largest, by Lanczos from ``start``.

    >>> value, vector, _ = largest_eigenvalue(lambda v: np.array([3.0, 1.0, -5.0]) * v, np.ones(3))
    >>> round(value, 9), np.abs(vector).round(6).tolist()
    (3.0, [1.0, 0.0, 0.0])
    """
    basis: list[np.ndarray] = []
    diagonal: list[float] = []
    beside: list[float] = []
    q = start / np.linalg.norm(start)
    value, weights = float("nan"), np.ones(1)
    for done in range(1, min(LANCZOS, len(start)) + 1):
        basis.append(q)
        w = product(q)
        diagonal.append(float(q @ w))
        for _ in range(2):
            for one in basis:
                w = w - (one @ w) * one
        size = float(np.linalg.norm(w))
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        settled = done > 2 and abs(values[-1] - value) <= TOLERANCE * abs(values[-1])
        value, weights = float(values[-1]), vectors[:, -1]
        if settled or size <= 1e-12 * max(map(abs, values)) or not math.isfinite(size):
            break
        beside.append(size)
        q = w / size
    return value, np.array(basis).T @ weights, len(basis)


class Landscape:
    """The full-batch loss of a model in double precision: gradients and sharpness at any point."""

    def __init__(self, model: Model, images: np.ndarray, labels: np.ndarray) -> None:
        self.trainer = Trainer(model, "sgd", batch=len(images), threads=1)
        self.images, self.labels = images, labels

    def gradient(self, point: np.ndarray) -> np.ndarray:
        """Of the mean loss."""
        self.trainer.parameters[:] = point
        self.trainer.step(self.images, self.labels, 0.0)
        return self.trainer.gradient.copy()

    def product(self, point: np.ndarray, root: np.ndarray, h: float, v: np.ndarray) -> np.ndarray:
        """root H root v at a point, by a central difference over ``h`` either way."""
        along = root * v
        step = h / np.linalg.norm(along) * along
        change = self.gradient(point + step) - self.gradient(point - step)
        found: np.ndarray = root * change * (np.linalg.norm(along) / (2 * h))
        return found

    def sharpness(self, point: np.ndarray, root: np.ndarray, start: np.ndarray) -> tuple[float, float, np.ndarray, int]:
        """(largest eigenvalue of root H root, error of the differences, vector, products).

        The error is how far the Rayleigh quotient at the vector moves with differences over ten times the step.
        """
        value, vector, products = largest_eigenvalue(partial(self.product, point, root, H), start)
        near, far = (float(vector @ self.product(point, root, h, vector)) for h in (H, 10 * H))
        return value, abs(near - far), vector, products

    def close(self) -> None:
        """End the threads."""
        self.trainer.close()


def edge_cell(rule: str, rate: float, loss: str, *, hidden: list[int], samples: int, size: int, steps: int, every: int, seed: int,
              shrink: float) -> Cell:  # fmt: skip
    """One full-batch run and its sharpness; see :func:`followed`."""
    options: dict[str, Any] = {
        "rate": rate, "loss": loss, "hidden": list(hidden), "samples": samples, "size": size, "steps": steps, "every": every, "seed": seed,
        "shrink": shrink,
    }  # fmt: skip
    made = rules.get(rule)
    spec = spec_head("edge") | {"rule": made.label(), "rule_fingerprint": made.fingerprint} | options
    return Cell(f"{rule} at {rate:g}, {loss}, seed {seed}", spec, partial(followed, rule, **options), single=True)


def followed(
    rule: str, *, rate: float, loss: str, hidden: list[int], samples: int, size: int, steps: int, every: int, seed: int, shrink: float
) -> xr.Dataset:  # fmt: skip
    """Train a perceptron on ``samples`` textures, all of them in every step, and look every ``every`` steps.

    Weights start at ``shrink`` times their usual size. Over ``record``: the loss, the sharpness, the error of its differences, and the
    number of products. A run that diverges is nan from there on; ``diverged_at`` says at which step.
    """
    from optlab.nn.models import mlp

    images = synthetic(max(samples, 10), 10, size=size, seed=seed)
    feed = ImageBatches(images.training, batch=samples, seed=seed, augment=False, dtype="float64")
    inputs, labels = next(feed.plain(images.training, samples))
    flat, classes = inputs.reshape(samples, -1).copy(), len(images.classes)
    model = mlp(features=flat.shape[1], hidden=tuple(hidden), classes=classes, dtype="float64")
    if loss == "squared_error":
        model = Model(model.name, model.layers, loss, model.dtype)
        labels = np.eye(classes)[labels]
    made = rules.get(rule)
    trainer, landscape, scale = Trainer(model, made, batch=samples, threads=1, rng=seed), Landscape(model, flat, labels), gain(made)
    trainer.parameters[:] *= shrink
    at = np.arange(every, steps + 1, every)
    found = np.full((len(at), 4), np.nan)
    start, diverged = np.random.default_rng(0).normal(size=trainer.parameters.size), -1
    for step in range(1, steps + 1):
        batch = trainer.step(flat, labels, rate)
        if not (math.isfinite(batch.loss) and np.isfinite(trainer.parameters).all()):
            diverged = step - 1
            break
        if step % every == 0:
            point, states = trainer.parameters.copy(), trainer.states.copy()
            root = np.ones(len(point)) if scale is None else np.sqrt(scale(states, step))
            value, error, vector, products = landscape.sharpness(point, root, start)
            found[step // every - 1] = [batch.loss, value, error, products]
            start = vector + 0.01 * start / np.linalg.norm(start)  # the last one is near, and a part of all others stays in it
    trainer.close()
    landscape.close()
    names = {
        "loss": "mean loss before that step", "sharpness": "largest eigenvalue of the (preconditioned) Hessian after it",
        "error": "change of its Rayleigh quotient with differences over ten times the step", "products": "products with the Hessian",
    }  # fmt: skip
    variables: dict[str, Any] = {name: ("record", found[:, k], {"long_name": text}) for k, (name, text) in enumerate(names.items())}
    variables["diverged_at"] = ((), diverged, {"long_name": "step whose loss was not finite; -1: none"})
    return xr.Dataset(variables, {"record": at}, {"parameters": model.parameter_count})
