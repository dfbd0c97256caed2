"""The machine code of the kernels: vectors throughout, no calls into the mathematics library, no scalar roots or quotients."""

import platform
import re

import pytest

import optlab as ol
from optlab.codegen.module import load
from optlab.ensemble.cell import Cell
from optlab.ensemble.kernel import kernel_source
from optlab.ensemble.layout import SOURCES
from optlab.ensemble.specs import Request

PROBLEMS = {
    "separable": lambda: ol.problems.quadratic(condition_number=10, dim=5, noise=1.0),
    "dense": lambda: ol.problems.quadratic(condition_number=10, dim=5, noise=1.0, rotation=1),
    "rows": lambda: ol.problems.least_squares([[1.0, 0.5], [2.0, 1.0], [0.5, 0.25]], [1.0, 2.0, 3.0]),
    "logistic": lambda: ol.problems.logistic_regression([[1.0, 0.5], [2.0, 1.0], [0.5, 0.25]], [1, -1, 1]),
    "fresh": lambda: ol.problems.line_fit(label_noise=0.1),
    "expression": lambda: ol.problems.symbolic("exp(x)*sin(w)/3 + x**2 + log(2 + w**2)", noise=1.0),
    "student_t": lambda: ol.problems.quadratic(condition_number=10, dim=5, noise=1.0, noise_law="student_t(dof=5)"),
}
ROOTS = dict.fromkeys(["rmsprop", "adam", "adamw", "adagrad", "nadam", "amsgrad", "rmsprop_momentum", "adabelief"], 1) | {"adadelta": 2}
CASES = [(rule, "separable", dtype) for rule in ol.rules.names() for dtype in ("float64", "float32")]
CASES += [("adam", shape, "float64") for shape in PROBLEMS if shape != "separable"] + [
    ("sgd", "rows", "float32"),
    ("nesterov", "dense", "float32"),
]


def compiled(rule, shape, dtype):
    """The kernel, compiled here and now: what comes from the cache cannot be inspected."""
    request = Request.read(
        rule, PROBLEMS[shape](), schedule=0.1, steps=3, batch=2, seed=0, backend="cpu", trajectories=4, dtype=dtype, record=[3],
        quantiles=(), keep=0, outcomes=False, coordinates=False, common=True, limit=1e15,
    )  # fmt: skip
    cell = Cell(request)
    source = kernel_source(request.rule.unbound(), request.problem, dtype).replace(", cache=True", "")
    cell.kernel = load(source, SOURCES, "inspected").run
    cell.spare.put(cell.new_tally())
    cell.run(0, 0)
    return cell.kernel


def own(text):
    """The IR of the kernel itself, without Python's wrappers."""
    bodies = re.findall(r"^define [^\n]*\n.*?^}", text, re.S | re.M)
    return "\n".join(b for b in bodies if not re.search(r"@(_ZN7cpython|cfunc)", b.split("\n")[0]))


@pytest.mark.parametrize(("rule", "shape", "dtype"), CASES)
def test_kernels_are_vector_code(rule, shape, dtype):
    kernel = compiled(rule, shape, dtype)
    (text,) = kernel.inspect_llvm().values()
    body, kind = own(text), {"float64": "double", "float32": "float"}[dtype]
    assert re.search(rf"call .*<\d+ x {kind}> @llvm.fma", body), "no fused multiply-add of vectors"
    called = set(re.findall(r"call [^\n]*@([\w.]+)\(", body))
    library = {name for name in called if re.fullmatch(r"(exp|log|sin|cos|tan|tanh|pow|fma|sqrt|expm1|log1p)f?", name)}
    assert not library, f"calls into the mathematics library: {library}"
    scalar = re.findall(rf"^.*\b(?:fdiv {kind}|call {kind} @llvm.sqrt)\b.*$", body, re.M)
    assert len(scalar) <= 4, scalar  # per step, not per coordinate: 1 / batch and the like
    if shape == "separable":
        roots = len(re.findall(rf"call .*<\d+ x {kind}> @llvm.sqrt", body))
        assert roots == 2 + ROOTS.get(rule, 0)  # two radii, and the rule's own
        assert not scalar
    if platform.machine() in ("x86_64", "AMD64"):
        (asm,) = kernel.inspect_asm().values()
        packed = len(re.findall(r"\tvfn?m(?:add|sub)\d+p[ds]\s.*%[yz]mm", asm))
        assert packed >= 10, f"only {packed} packed fused multiply-adds"
