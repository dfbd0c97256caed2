"""Short convolutions: the algorithm as an identity between polynomials, and its straight-line code."""

import numpy as np
import pytest
import sympy as sp

from optlab.codegen.toom_cook import linear, rounded, short_convolution, transposed
from optlab.errors import UnsupportedError

SIZES = [(1, 1), (1, 3), (2, 1), (2, 3), (3, 2), (4, 3)]


@pytest.mark.parametrize(("outputs", "taps"), SIZES)
def test_it_is_the_convolution_exactly(outputs, taps):
    found = short_convolution(outputs, taps)
    d, g = sp.symbols(f"d:{found.points}"), sp.symbols(f"g:{taps}")
    y = found.a.T * ((found.g * sp.Matrix(g)).multiply_elementwise(found.ct * sp.Matrix(d)))
    assert [sp.expand(value) for value in y] == [sum(g[k] * d[i + k] for k in range(taps)) for i in range(outputs)]


@pytest.mark.parametrize(("outputs", "taps"), SIZES)
def test_straight_line_code_is_the_matrix(outputs, taps):
    found, rng = short_convolution(outputs, taps), np.random.default_rng(0)
    for exact in (found.a, found.g, found.ct):
        for matrix in (rounded(exact), transposed(rounded(exact))):
            values = [float(v) for v in rng.normal(size=len(matrix[0]))]
            assert np.allclose(linear(matrix, values), np.array(matrix) @ values, rtol=1e-14, atol=1e-14)
            some = [v if k % 2 == 0 else None for k, v in enumerate(values)]
            whole = np.array(matrix) @ [v or 0.0 for v in some]
            assert np.allclose([v or 0.0 for v in linear(matrix, some)], whole, rtol=1e-14, atol=1e-14)


def test_few_products_and_few_sums():
    class Counted(float):
        operations = 0

        def _count(self, other):
            Counted.operations += 1
            return Counted(0.5)

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _count

    found = short_convolution(4, 3)
    assert found.points == 6  # beside 12 products
    linear(rounded(found.ct), [Counted(1.0) for _ in range(6)])
    assert Counted.operations <= 24  # a fused multiply-add counts twice here


def test_too_many_points_are_refused():
    with pytest.raises(UnsupportedError, match="at most 6"):
        short_convolution(6, 3)
