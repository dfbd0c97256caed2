"""Kernels compiled to PTX and assembled, without a device: what they take of it.

python -m tests.cuda.assembly        writes the table that the tests hold them to, tests/cuda/budget.csv
"""

import csv
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

from numba.core import types
from numba.cuda import compiler

from tests.cuda.cases import rows
from tests.cuda.launches import launches_of

BUDGET = Path(__file__).with_name("budget.csv")
ARCHITECTURES = ("sm_80", "sm_90")

_NOISY = "quadratic(condition_number=10, dim={dim}, noise=1{more})"

#: name -> (rule, problem, options)
KERNELS = {
    f"{rule} d={dim} {dtype}": (rule, _NOISY.format(dim=dim, more=""), {"dtype": dtype})
    for rule in ("sgd", "momentum", "adam")
    for dim in (4, 10)
    for dtype in ("float64", "float32")
} | {
    "nadam d=16 float64": ("nadam", _NOISY.format(dim=16, more=""), {}),
    "sgd d=100 float32": ("sgd", _NOISY.format(dim=100, more=""), {"dtype": "float32", "coordinates": False}),
    "sgd d=1000 float64": ("sgd", _NOISY.format(dim=1000, more=""), {"coordinates": False}),
    "nesterov rotated d=8 float32": ("nesterov", _NOISY.format(dim=8, more=", rotation=1"), {"dtype": "float32"}),
    "sgd student t d=4 float64": ("sgd", _NOISY.format(dim=4, more=", noise_law='student_t(dof=5)'"), {}),
    "adam line fit float32": ("adam", "line_fit()", {"dtype": "float32"}),
    "sgd rows d=10 float64": ("sgd", rows("least_squares", 10), {"batch": 16}),
    "adam rows d=10 float32": ("adam", rows("logistic_regression", 10, sampling="reshuffle"), {"batch": 6, "dtype": "float32"}),
    "sgd rows d=100 float64": ("sgd", rows("huber_regression", 100), {"batch": 16, "coordinates": False}),
    "lion expression float32": ("lion", "symbolic('x**2 + 10*y**2 + sin(x)*exp(y) + Abs(x)', noise=0.3)", {"dtype": "float32"}),
}

#: The reductions of statistics: name -> options of the launch whose results they reduce
REDUCTIONS = {
    "reduce_blocks": {}, "reduce_blocks float32": {"dtype": "float32"}, "join_blocks": {}, "gather": {},
    "gather float32": {"dtype": "float32"}, "mark_octaves": {}, "number_pages": {}, "count_losses": {}, "count_events": {}, "clear": {},
}  # fmt: skip
NAMES = (*KERNELS, *REDUCTIONS)


@dataclass
class Assembled:
    """What ptxas says of a kernel, and what its PTX holds."""

    kernel: str
    architecture: str
    registers: int
    stack: int  #: bytes of a thread's memory outside registers
    shared: int  #: bytes
    spills: int  #: bytes stored and loaded
    sums_f64: int  #: additions in float64 in a float32 kernel: the sum of a loss over coordinates
    other_f64: int  #: all other arithmetic in float64 in a float32 kernel
    contracted: int  #: operations that ptxas may contract: none, for the order of rounding is the CPU's
    seconds: float  #: of this process's time, to compile and assemble


def ptxas():
    """The assembler that the extra ``ptx`` brings."""
    import nvidia.cu13

    return next(Path(folder) / "bin" / "ptxas" for folder in nvidia.cu13.__path__ if (Path(folder) / "bin" / "ptxas").exists())


@cache
def lowered(function, kinds):
    """The kernel's LLVM code, which is the same for every architecture, and nine tenths of the time that PTX takes."""
    library, _ = compiler._compile_pyfunc_with_fixup(function, types.void(*kinds), device=False, cc=(8, 0), abi="numba")
    return library


def assembled(kernel, kinds, architecture):
    """The PTX of a kernel for arguments of these types, what ptxas says of it, and the time it took."""
    began = time.process_time()
    text = lowered(kernel.py_func, kinds).get_asm_str(cc=(int(architecture[3:-1]), int(architecture[-1])))
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "kernel.ptx", Path(folder) / "kernel.cubin"
        source.write_text(text)
        said = subprocess.run(
            [ptxas(), f"-arch={architecture}", "-v", "-o", out, source], capture_output=True, text=True, check=True
        ).stderr
    return text, said, time.process_time() - began


def counted(text, pattern):
    """How many operations of the PTX match."""
    return sum(n for op, n in operations(text).items() if re.fullmatch(pattern, op))


def assemble(name, architecture):
    """Compile and assemble one kernel."""
    rule, problem, options = KERNELS[name] if name in KERNELS else ("sgd", _NOISY.format(dim=4, more=""), REDUCTIONS[name])
    given = {"schedule": 0.1, "steps": 3, "trajectories": 70, "record": [0, 3], "reach": [0.1] * (name in REDUCTIONS), **options}
    kernel, kinds = launches_of(rule, problem, **given)["run" if name in KERNELS else name]
    text, said, seconds = assembled(kernel, kinds, architecture)
    numbers = {
        "registers": r"Used (\d+) registers", "stack": r"(\d+) bytes stack frame", "shared": r"(\d+) bytes smem",
    }  # fmt: skip
    found = {key: int(match[1]) if (match := re.search(pattern, said)) else 0 for key, pattern in numbers.items()}
    spills = sum(map(int, re.findall(r"(\d+) bytes spill", said)))
    counts = operations(text)
    f64 = Counter({op: n for op, n in counts.items() if re.match(r"(add|sub|mul|fma|mad|div|rcp|sqrt|ex2|lg2)\..*f64$", op)})
    single = name in KERNELS and options.get("dtype") == "float32"
    contracted = sum(n for op, n in counts.items() if re.fullmatch(r"(add|sub|mul)\.(ftz\.)?f(32|64)", op))
    sums = f64.pop("add.rn.f64", 0)
    return Assembled(
        name, architecture, found["registers"], found["stack"], found["shared"], spills, sums * single, f64.total() * single, contracted,
        round(seconds, 1),
    )  # fmt: skip


def operations(text):
    """How often each operation stands in the PTX."""
    return Counter(re.findall(r"^\s+(?:@!?%p\d+ )?([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)\s", text, re.MULTILINE))


def budget():
    """The committed table, by kernel and architecture."""
    with BUDGET.open(newline="") as file:
        return {(row["kernel"], row["architecture"]): row for row in csv.DictReader(file)}


def main():
    with BUDGET.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Assembled)], lineterminator="\n")
        writer.writeheader()
        for name in NAMES:
            for architecture in ARCHITECTURES:
                print(f"{name}, {architecture}", file=sys.stderr, flush=True)
                writer.writerow(asdict(assemble(name, architecture)))


if __name__ == "__main__":
    main()
