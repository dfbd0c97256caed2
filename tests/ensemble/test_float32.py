"""float32 kernels hold no float64 arithmetic, but for the loss sums over coordinates and runs that accumulate in double."""

import re

import numpy as np
import pytest

import optlab as ol
from optlab.ensemble.kernel import kernel

FLOAT = np.float32
PROBLEMS = {
    "separable": (lambda: ol.problems.quadratic(spectrum=[0.5, 1.0]), 1, 0),
    "rotated": (lambda: ol.problems.quadratic(spectrum=[0.5, 1.0], rotation=1), 1, 0),
    "rows": (lambda: ol.problems.least_squares([[1.0, 0.5], [2.0, 1.0], [0.5, 0.25]], [1.0, 2.0, 3.0]), 2, 1),
    "subset": (lambda: ol.problems.least_squares([[1.0, 0.5], [2.0, 1.0], [0.5, 0.25]], [1.0, 2.0, 3.0], sampling="subset"), 2, 2),
    "fresh": (lambda: ol.problems.line_fit(label_noise=0.1), 2, 0),
    "expression": (lambda: ol.problems.symbolic("exp(x)*sin(w)/3 + x**3*w - log(2 + w**2)"), 1, 0),
}


def bodies(function):
    """The optimized machine-independent code of the compiled function and all that is linked into it, without Python's wrappers."""
    (text,) = function.inspect_llvm().values()
    found = re.findall(r"^define [^\n]*\n.*?^}", text, re.S | re.M)
    own = [body for body in found if not re.search(r"@(_ZN7cpython|cfunc)", body.split("\n")[0])]
    if not own:
        raise AssertionError("no code found")
    return "\n".join(own)


def arguments(module, dtype):
    lanes = module.LANES
    block = lambda: np.ones((2, lanes), dtype)  # noqa: E731
    return block, np.ones(lanes, dtype), np.ones(2, dtype), np.ones((3, 2), dtype), np.ones(3, dtype)


def compiled_gradient(shape, dtype):
    make, batch, mode = PROBLEMS[shape]
    problem = make()
    module = kernel(ol.rules.get("sgd"), problem, np.dtype(dtype).name)
    block, row, curvature, matrix, targets = arguments(module, dtype)
    matrix = np.empty((0, 2), dtype) if shape == "separable" else matrix[:2].copy() if shape == "rotated" else matrix
    order = module.make_order(3, mode)
    module.reset_order(order)
    module.gradient_block(block(), block(), row, curvature, matrix, targets, order, batch, mode, 0, 1, np.uint32(1), np.uint32(2))
    return bodies(module.gradient_block)


@pytest.mark.parametrize("shape", PROBLEMS)
def test_float32_gradients_hold_no_double(shape):
    text = compiled_gradient(shape, np.float32)
    assert "float" in text
    assert "double" not in text


def test_the_search_finds_doubles_in_a_float64_gradient():
    assert "double" in compiled_gradient("rows", np.float64)


def test_float32_normals_hold_no_double():
    module = kernel(ol.rules.get("sgd"), ol.problems.quadratic(spectrum=[1.0]), "float32")
    pair = module.normal_pair(np.uint32(5), np.uint32(7))
    assert len(pair) == 2
    assert {str(s.return_type) for s in module.normal_pair.nopython_signatures} == {"UniTuple(float32 x 2)"}
    target = np.zeros((5, module.LANES), np.float32)
    module.add_normals(target, np.float32(0.5), 0, 1, 1, np.uint32(1), np.uint32(2))
    assert target.any()
    assert "double" not in bodies(module.add_normals)
