"""The activations of a network's layers and the spectrum of their Gram matrix: how well each layer's weights can be learned from them.

The Hessian of a layer's squared error by its weights is the Gram matrix of its input, E[a a^T], for each of its outputs; of any loss it is
a factor (Martens & Grosse, ICML 2015). Its condition number bounds what gradient descent can do with one learning rate.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from optlab import norms
from optlab.layers import relu
from optlab.nn.norm_maps import KINDS
from optlab.nn.trainer import Trainer
from optlab.norms.record import eps, x

FLOOR = 1e-6  #: an eigenvalue below this share of the largest is not told from zero in single precision


@cache
def _functions(kind: str) -> tuple[list[tuple[str, Any]], Any, Any]:
    """Of a norm: the reductions' integrands in order, the output, and the rectifier; over arrays."""
    record = norms.get(KINDS[kind])
    put, known = {eps: record.defaults[eps]}, [x]
    integrands = []
    for left, integrand in record.reductions:
        integrands.append((str(left), sp.lambdify(known, integrand, "numpy")))
        known.append(left)
    return integrands, sp.lambdify([*known, *record.parameters], record.forward.xreplace(put), "numpy"), _rectified()


@cache
def _rectified() -> Any:
    return sp.lambdify(relu.z, relu.VALUE, "numpy")


def activations(trainer: Trainer, images: np.ndarray) -> list[np.ndarray]:
    """The rectified output (rows, channels) of every layer but the last, for a batch in training mode: its pixels are rows.

    Where a shortcut is added before the rectifier, it is left out. Nothing of the trainer changes.
    """
    given, _ = trainer._read(images, np.zeros(len(images), np.int64))
    out = []
    for layer, result in list(zip(trainer.model.layers, trainer.network.results(given), strict=True))[:-1]:
        values = result.reshape(-1, layer.outputs).astype(np.float64)
        own = {name.rpartition(".")[2]: v for name, v in trainer.named().items() if name.startswith(f"{layer.name}.")}
        out.append(_rectified()(normalized(layer.norm, values, own)))
    return out


def normalized(kind: str, values: np.ndarray, parameters: dict[str, np.ndarray]) -> np.ndarray:
    """A norm's output for rows of channels; without a norm the learned shift is added.

    >>> normalized("rms", np.array([[3.0, -3.0]]), {"gamma": np.ones(2)}).round(3).tolist()
    [[1.0, -1.0]]
    """
    if kind == "none":
        shifted: np.ndarray = values + parameters["beta"]
        return shifted
    record = norms.get(KINDS[kind])
    integrands, output, _ = _functions(kind)
    axis = 1 if record.reduced == "features" else 0
    means: list[np.ndarray] = []
    for _, integrand in integrands:
        means.append(integrand(values, *means).mean(axis, keepdims=True))
    found: np.ndarray = output(values, *means, *(parameters[str(p)].astype(np.float64) for p in record.parameters))
    return found


def conditioning(rows: np.ndarray) -> tuple[float, float]:
    """(condition number, effective rank) of the Gram matrix E[a a^T] of rows (n, d).

    The condition number is infinite where the least eigenvalue is not told from zero, as where a unit is dead. The effective rank,
    (sum of eigenvalues)^2 / sum of their squares, lies between 1 and d and is finite unless all rows are 0 (nan).

    >>> conditioning(np.array([[1.0, 0.0], [0.0, 2.0]]))
    (4.0, 1.4705882352941178)
    """
    values = np.linalg.eigvalsh(rows.T @ rows / len(rows))
    if not np.isfinite(values).all() or not values[-1] > 0:
        return float("nan"), float("nan")
    least = values[0] if values[0] > FLOOR * values[-1] else 0.0
    rank = float(values.sum() ** 2 / (values**2).sum())
    return (float(values[-1] / least) if least else float("inf")), rank
