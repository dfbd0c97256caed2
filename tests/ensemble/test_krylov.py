"""The leading eigenvalue against dense algebra."""

import numpy as np
import pytest

from optlab.ensemble import krylov
from optlab.ensemble.krylov import DENSE, LONGEST, leading
from optlab.errors import UnsupportedError


@pytest.mark.parametrize("size", [1, DENSE, DENSE + 1, 200])
@pytest.mark.parametrize("symmetric", [True, False])
def test_the_largest_eigenvalue_of_a_dense_matrix(size, symmetric):
    rng = np.random.default_rng(size)
    matrix = rng.random((size, size))  # positive: the leading eigenvalue is real (Perron)
    matrix = matrix + matrix.T if symmetric else matrix
    value, vector = leading(lambda v: matrix @ v, np.ones(size), symmetric=symmetric)
    assert value == pytest.approx(np.linalg.eigvals(matrix).real.max(), rel=1e-13 if symmetric else 1e-8)
    assert np.linalg.norm(matrix @ vector - value * vector) <= 1e-8 * value
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_close_eigenvalues_take_several_rounds():
    values = np.linspace(0, 1, 40 * LONGEST) ** 0.5
    mapped = []
    value, _ = leading(lambda v: mapped.append(1) or values * v, np.ones(len(values)), symmetric=True)
    assert value == pytest.approx(1, rel=1e-9)
    assert len(mapped) > LONGEST


def test_a_good_start_is_enough():
    matrix = np.diag(np.arange(1.0, 101.0))
    matrix[0, 1:] = 0.1
    calls = []
    _, vector = leading(lambda v: matrix @ v, np.ones(100))
    leading(lambda v: calls.append(1) or matrix @ v, vector)
    assert len(calls) == 1


def test_what_does_not_converge_says_so(monkeypatch):
    monkeypatch.setattr(krylov, "LONGEST", 8)
    rng = np.random.default_rng(0)
    with pytest.raises(UnsupportedError, match="did not converge"):
        leading(lambda v: rng.normal(size=400), np.ones(400))
