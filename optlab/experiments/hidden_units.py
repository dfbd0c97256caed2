"""Hidden units of a perceptron in another order compute the same function: matching the units of one network to those of another.

With a permutation of every hidden layer chosen so that the weights are as near as possible, what is left of the distance between two
networks, and of the loss between them, is not the order of their units (Entezari, Sedghi, Saukh & Neyshabur, ICLR 2022). Given the
permutations of the layers before and after, that of one layer is a linear assignment; with several hidden layers they are found in turn
until none changes, which is a local optimum (Ainsworth, Hayase & Srinivasa, Git Re-Basin, ICLR 2023, algorithm 1). One hidden
layer is solved exactly.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from optlab.nn.models import Model
from optlab.nn.parameters import Layout

ROUNDS = 100  #: passes over the layers at most; a handful is usual


def matched(model: Model, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The parameters of ``other``, flat, with the units of each hidden layer in the order nearest to ``one``: the same function.

    >>> from optlab import nn
    >>> model = nn.mlp(features=2, hidden=(3,), classes=2)
    >>> one = np.zeros(Layout(model).size, np.float32)
    >>> Layout(model).named(one)["hidden0.weight"][:] = [[1, 2, 3], [4, 5, 6]]
    >>> swapped = permuted(model, one, [np.array([2, 0, 1])])
    >>> bool((swapped == one).all()), bool((matched(model, one, swapped) == one).all())
    (False, True)
    """
    layout = Layout(model)
    hidden = [layer.name for layer in model.layers[:-1]]
    fixed = {name: np.asarray(values, np.float64) for name, values in layout.named(one).items()}
    orders = [np.arange(layer.outputs) for layer in model.layers[:-1]]
    for _ in range(ROUNDS):
        changed = False
        for k, name in enumerate(hidden):
            there = {key: np.asarray(v, np.float64) for key, v in layout.named(permuted(model, other, orders, but=k)).items()}
            after = model.layers[k + 1].name
            gain = fixed[f"{name}.weight"].T @ there[f"{name}.weight"] + fixed[f"{after}.weight"] @ there[f"{after}.weight"].T
            for key in fixed:
                if key.startswith(f"{name}.") and key != f"{name}.weight":
                    gain += np.outer(fixed[key], there[key])
            _, order = linear_sum_assignment(gain, maximize=True)
            rows = np.arange(len(order))
            if gain[rows, order].sum() > gain[rows, orders[k]].sum() * (1 + 1e-12) + 1e-300:
                orders[k], changed = order, True
        if not changed:
            break
    return permuted(model, other, orders)


def permuted(model: Model, parameters: np.ndarray, orders: list[np.ndarray], but: int | None = None) -> np.ndarray:
    """Flat parameters with unit ``orders[k][i]`` of hidden layer k in place i; layer ``but`` is left as it is."""
    layout, out = Layout(model), np.array(parameters)
    named = layout.named(out)
    for k, (layer, order) in enumerate(zip(model.layers[:-1], orders, strict=True)):
        if k != but:
            for key, values in named.items():
                if key.startswith(f"{layer.name}."):
                    values[:] = values[..., order].copy()
            following = named[f"{model.layers[k + 1].name}.weight"]
            following[:] = following[order].copy()
    return out


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """|one - other| over the root mean square of their norms: sqrt(2) for orthogonal vectors of one length.

    >>> round(distance(np.array([1.0, 0.0]), np.array([0.0, 1.0])), 6)
    1.414214
    """
    a, b = (np.asarray(values, np.float64) for values in (one, other))
    return float(np.linalg.norm(a - b) / np.sqrt((a @ a + b @ b) / 2))


__all__ = ["distance", "matched", "permuted"]
