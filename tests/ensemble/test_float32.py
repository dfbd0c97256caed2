"""float32 kernels hold no float64 arithmetic, but for the losses, which are added up over coordinates and runs in double."""

import re

import numpy as np
import pytest

import optlab as ol
from optlab.codegen.module import load
from optlab.ensemble.cell import Cell
from optlab.ensemble.kernel import kernel_source
from optlab.ensemble.layout import SOURCES
from optlab.ensemble.specs import Request

PROBLEMS = {
    "separable": lambda: ol.problems.quadratic(spectrum=[0.5, 1.0], noise=1.0),
    "rotated": lambda: ol.problems.quadratic(spectrum=[0.5, 1.0], rotation=1, noise=1.0),
    "rows": lambda: ol.problems.least_squares([[1.0, 0.5], [2.0, 1.0], [0.5, 0.25]], [1.0, 2.0, 3.0], noise=0.1),
    "subset": lambda: ol.problems.least_squares([[1.0, 0.5], [2.0, 1.0], [0.5, 0.25]], [1.0, 2.0, 3.0], sampling="subset"),
    "fresh": lambda: ol.problems.line_fit(label_noise=0.1),
    "expression": lambda: ol.problems.symbolic("exp(x)*sin(w)/3 + x**3*w - log(2 + w**2)", noise=1.0),
}


def doubles(shape, dtype):
    """The lines of the kernel's optimized code that compute in double, by operation; losses are recorded at no step."""
    request = Request.read(
        "adam", PROBLEMS[shape](), schedule=0.1, steps=5, batch=2, seed=0, backend="cpu", trajectories=4, dtype=dtype, record=[5],
        quantiles=(),        reach=(), keep=0, outcomes=False, coordinates=False, common=True, limit=1e15, uniform_bits=32,
    )  # fmt: skip
    cell = Cell(request)
    source = kernel_source(request.rule.unbound(), request.problem, dtype).replace(", cache=True", "")  # cached code cannot be inspected
    cell.kernel = load(source, SOURCES, "inspected").run
    cell.spare.put(cell.new_tally())
    cell.run(0, 0)
    (text,) = cell.kernel.inspect_llvm().values()
    found = re.findall(r"^define [^\n]*\n.*?^}", text, re.S | re.M)
    own = "\n".join(body for body in found if not re.search(r"@(_ZN7cpython|cfunc)", body.split("\n")[0]))
    assert "float" in own if dtype == "float32" else "double" in own
    return [line.strip() for line in own.splitlines() if re.search(r"\b(fadd|fsub|fmul|fdiv|fma|sqrt|fpext|fcmp)\b.*double", line)]


@pytest.mark.parametrize("shape", PROBLEMS)
def test_only_sums_of_losses_are_double(shape):
    """A loss is widened, added to a sum and compared with a level; nothing else happens in double."""
    for line in doubles(shape, "float32"):
        kind = re.search(r"\b(fadd|fsub|fmul|fdiv|llvm.fma|llvm.sqrt|fpext|fcmp)", line).group(1)
        assert kind in {"fpext", "fcmp", "fadd"} or ("rows" in shape + "subset" and kind in {"fmul", "fdiv"}), line


def test_the_search_finds_doubles_in_a_float64_gradient():
    assert any("fma" in line for line in doubles("separable", "float64"))


def test_float32_losses_are_near_float64():
    a, b = (
        ol.simulate("sgd", PROBLEMS["separable"](), schedule=0.1, steps=20, dtype=dtype, common=True) for dtype in ("float32", "float64")
    )
    np.testing.assert_allclose(a.loss_mean, b.loss_mean, rtol=1e-4)
