"""The largest real eigenvalue of a map, by Arnoldi's method from a start that is nearly its eigenvector."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optlab.errors import UnsupportedError

DENSE = 36  #: maps of at most this many unknowns are formed
TOLERANCE = 1e-9  #: of the eigenvector; where the map is symmetric the eigenvalue's error is its square
LONGEST = 80  #: vectors kept before starting again from the best combination


def leading(mapped: Callable[[np.ndarray], np.ndarray], start: np.ndarray, *, symmetric: bool = False) -> tuple[float, np.ndarray]:
    """The largest real part of an eigenvalue, and its eigenvector of norm 1, for a map whose leading eigenvalue is real.

    Source: Saad, Numerical Methods for Large Eigenvalue Problems, SIAM 2011, chapter 6.

    Raises UnsupportedError if it does not converge.

    >>> value, vector = leading(lambda v: np.array([2.0, 1.0]) * v, np.ones(2))
    >>> round(value, 12), np.abs(vector).round(12)
    (2.0, array([1., 0.]))
    """
    size = len(start)
    if size <= DENSE:
        value, vector = _top(np.stack([mapped(unit) for unit in np.eye(size)], 1), symmetric)
        return value, vector / np.linalg.norm(vector)
    vector = start / np.linalg.norm(start)
    for _ in range(60):
        basis, H = np.zeros((LONGEST + 1, size)), np.zeros((LONGEST + 1, LONGEST))
        basis[0] = vector
        for j in range(LONGEST):
            image = mapped(basis[j])
            for _twice in range(2):  # once more for what rounding left
                part = basis[: j + 1] @ image
                H[: j + 1, j] += part
                image = image - part @ basis[: j + 1]
            H[j + 1, j] = np.linalg.norm(image)
            value, combination = _top(H[: j + 1, : j + 1], symmetric)
            vector = combination @ basis[: j + 1]
            if H[j + 1, j] * abs(combination[-1]) <= TOLERANCE * abs(value):
                return value, vector / np.linalg.norm(vector)
            basis[j + 1] = image / H[j + 1, j]
        vector = vector / np.linalg.norm(vector)
    raise UnsupportedError("the spectral radius did not converge: the leading eigenvalues are too close together")


def _top(matrix: np.ndarray, symmetric: bool) -> tuple[float, np.ndarray]:
    if symmetric:
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        return float(values[-1]), vectors[:, -1]
    complex_values, complex_vectors = np.linalg.eig(matrix)
    top = int(complex_values.real.argmax())
    return float(complex_values[top].real), complex_vectors[:, top].real / np.linalg.norm(complex_vectors[:, top].real)
