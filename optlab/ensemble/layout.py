"""How a kernel is laid out for a problem: which template, how wide, how padded. Knows nothing of SymPy."""

from __future__ import annotations

from pathlib import Path

from optlab.codegen.lanes import register_bits
from optlab.kept_facts import kept
from optlab.objectives import Problem, Rows, Separable, definitions

BLOCK = 64  #: trajectories whose statistics are reduced first; chunks are multiples of it
CHUNK_BYTES = 8 << 20  #: of recorded losses and coordinates of one chunk, where more than one block would fit

HERE = Path(__file__).parent
_CODEGEN = HERE.parent / "codegen"
TEMPLATES = HERE / "templates"

#: What machine code depends on beside the generated text itself.
SOURCES = (
    HERE / "philox.py", HERE / "draws.py", _CODEGEN / "lanes.py", _CODEGEN / "tracing.py", *sorted((_CODEGEN / "elementary").glob("*.py")),
)  # fmt: skip

#: What generated text depends on beside the definitions of rule and problem.
GENERATORS = (*sorted(_CODEGEN.glob("*.py")), *sorted(TEMPLATES.glob("*.py")), HERE / "kernel.py", HERE / "layout.py", HERE / "purposes.py")

TOGETHER = 8  #: vectors of a gradient over rows that are summed at once
_SIZE = {"float64": 64, "float32": 32}


def shape_of(problem: Problem) -> str:
    """Which kind of kernel serves the problem."""
    return "dense" if isinstance(problem, Separable) and problem.rotation is not None else problem.shape


def width_of(problem: Problem, dtype: str) -> int:
    """Lanes of one vector. Results depend on it only over rows, where it fixes the order of sums: there it is the same on all machines."""
    if isinstance(problem, Rows):
        return 8 if dtype == "float32" and problem.dim > 4 else 4
    return 2 * register_bits() // _SIZE[dtype]  # two registers: enough independent work for both of the machine's pipelines


def wide_of(problem: Problem) -> int:
    """Lanes of four registers of 64-bit numbers: what random numbers are made in, to keep many chains of operations under way."""
    return 4 * register_bits() // 64


def padded(problem: Problem, dtype: str) -> int:
    """The dimension of the rows with their padding."""
    width = width_of(problem, dtype)
    return -(-problem.dim // width) * width


def order_of_sums(vectors: int) -> dict[str, int]:
    """What fixes, beside their width, the order in which gradients of so many vectors are summed over rows; constants of both kernels.

    ``TOGETHER`` vectors of a gradient are summed at once, row by row; the ``REST`` of them in ``STRANDS`` sums, of every so many-th row.
    """
    rest = vectors % TOGETHER
    return {"TOGETHER": TOGETHER, "REST": rest, "STRANDS": 1 if rest in (0, 5, 6, 7) else 4 if rest <= 2 else 2}


def noise_kind(problem: Problem) -> str:
    """The law of the gradient noise."""
    return problem.noise_law.kind


def values_per_block(kind: str, uniform_bits: int) -> int:
    """How many values of the noise one block of four words gives."""
    return (2 if kind == "student_t" else 4) // (2 if uniform_bits == 53 else 1)


def squared_error_weight(problem: Rows) -> float | None:
    """c, where the loss of a row is ``c (z - y)^2``; None where it is something else."""
    if problem.form is None:
        return _weight(problem)
    found: float | None = kept(["squared_error_weight", repr(problem.form), *definitions()], lambda: _weight(problem))
    return found


def _weight(problem: Rows) -> float | None:
    import sympy as sp

    from optlab.symbols import y, z

    weight = problem.expressions()["curvature"] / 2
    return float(weight) if weight.is_number and sp.expand(problem.loss - weight * (z - y) ** 2) == 0 else None
