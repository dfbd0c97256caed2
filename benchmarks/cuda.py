"""The ensemble engine on a CUDA device beside its own CPU path, CuPy and PyTorch; for training see ``benchmarks/cuda_training.py``.

    python -m benchmarks.cuda [--quick] [--seconds S] [--out RESULT.md]

Nanoseconds per coordinate-update, least of the rounds; contestants that are not here are left out and named, as is what no time was
left for. The workload is that of ``benchmarks/workload.py``, and mini-batches of a table (a row's coordinate counts as an update); before
quadratics are timed the device's statistics are held against the CPU's. The floors are in NOTES.md.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import numpy as np

import optlab as ol
from benchmarks.workload import BETA1, BETA2, DTYPES, EPS, RATE, Case
from optlab.codegen.cuda import device_name, reason_without

OUT = Path(__file__).parent / "results" / "cuda.md"
CASES = [Case(d, rule, dtype) for d in (1, 10, 100) for rule in ("sgd", "adam") for dtype in DTYPES]
ELEMENTS = 1 << 22  #: coordinates side by side on the device
STEPS, QUICK = 1000, 100
ROWS, BATCH = 442, 16  #: of the tables, and of them in a mini-batch


def simulate(case, steps, trajectories, **options):
    problem = ol.problems.quadratic(spectrum=list(case.curvature), noise=1.0, theta0=1.0)
    given = {"record": [0, steps], "quantiles": (), "coordinates": False, **options}
    return ol.simulate(case.rule, problem, schedule=RATE, steps=steps, trajectories=trajectories, dtype=case.dtype, **given)


def on_device(case, steps, **options):
    many = ELEMENTS // case.dim
    return many, lambda: simulate(case, steps, many, backend="cuda", **options)


def on_one_core(case, steps):
    many = max(64, 32768 // case.dim)
    return many, lambda: simulate(case, steps, many, threads=1)


def on_all_cores(case, steps):
    many = max(4096, ELEMENTS // 16 // case.dim)
    return many, lambda: simulate(case, steps, many)


def update(case, theta, m, v, noise, lam, t, sqrt):
    """One step, as a library over arrays writes it; the memories are changed in place."""
    g = lam * theta + noise
    if case.rule == "sgd":
        return theta - RATE * g
    m += (1 - BETA1) * (g - m)
    v += (1 - BETA2) * (g * g - v)
    return theta - RATE / (1 - BETA1**t) * m / sqrt(v / (1 - BETA2**t) + EPS)


def in_cupy(case, steps):
    import cupy

    many, real = ELEMENTS // case.dim, np.dtype(case.dtype)
    lam, generator = cupy.asarray(case.curvature, real)[:, None], cupy.random.default_rng(1)

    def run():
        theta, m, v = (cupy.full((case.dim, many), start, real) for start in (1, 0, 0))
        for t in range(1, steps + 1):
            theta = update(case, theta, m, v, generator.standard_normal(theta.shape, real), lam, t, cupy.sqrt)
        return float((theta * theta * lam).sum(0).mean())

    return many, run


def in_torch(case, steps, compiled=False):
    import torch

    many, real = ELEMENTS // case.dim, getattr(torch, case.dtype)
    lam = torch.tensor(case.curvature, dtype=real, device="cuda")[:, None]

    def step(theta, m, v, t):
        return update(case, theta, m, v, torch.randn_like(theta), lam, t, torch.sqrt)

    step = torch.compile(step) if compiled else step

    def run():
        theta, m, v = (torch.full((case.dim, many), start, dtype=real, device="cuda") for start in (1.0, 0.0, 0.0))
        for t in range(1, steps + 1):
            theta = step(theta, m, v, torch.tensor(float(t), dtype=real, device="cuda"))
        return float((theta * theta * lam).sum(0).mean())

    return many, run


def table(dim, dtype, steps, backend, **options):
    """SGD on least squares over a table; returns trajectories and the run."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(ROWS, dim))
    problem, many = ol.problems.least_squares(rows, rows @ rng.normal(size=dim) + rng.normal(size=ROWS)), options.pop("many")
    given = {"schedule": 0.01, "steps": steps, "trajectories": many, "batch": BATCH, "dtype": dtype, "record": [0, steps], "quantiles": ()}
    return many, lambda: ol.simulate("sgd", problem, backend=backend, coordinates=False, **given, **options)


TABLES = {
    "optlab CUDA": lambda dim, dtype, steps: table(dim, dtype, steps, "cuda", many=1 << 17),
    "one core": lambda dim, dtype, steps: table(dim, dtype, steps, "cpu", many=256, threads=1),
    "all cores": lambda dim, dtype, steps: table(dim, dtype, steps, "cpu", many=8192),
}

#: What is recorded of a run of SGD in ten coordinates: name -> options
RECORDED = {
    "first and last step": {}, "101 steps": {"record": "linear"}, "and quantiles": {"record": "linear", "quantiles": (0.05, 0.5, 0.95)},
    "and coordinates": {"record": "linear", "quantiles": (0.05, 0.5, 0.95), "coordinates": True},
}  # fmt: skip

CONTESTANTS = {
    "optlab CUDA": on_device, "one core": on_one_core, "all cores": on_all_cores, "CuPy": in_cupy, "torch": in_torch,
    "torch.compile": lambda case, steps: in_torch(case, steps, compiled=True),
}  # fmt: skip
NEEDS = {"CuPy": ("cupy", "cupy-cuda13x"), "torch": ("torch", "torch"), "torch.compile": ("torch", "torch")}


def missing(name):
    """Why a contestant is not here, in one line with the mend; None if it is."""
    module, package = NEEDS.get(name, ("optlab", "optlab"))
    if find_spec(module) is None:
        return f"{name} is not installed: pip install {package}"
    if module == "torch":
        import torch

        if not torch.cuda.is_available():
            return f"{name} {torch.__version__} sees no device: install a build for CUDA (pytorch.org)"
    return None


def check(case):
    """The statistics of the device are the CPU's: the same words, the same operations, the same reductions."""
    here, there = (simulate(case, 100, 4096, backend=backend) for backend in ("cpu", "cuda"))
    return float(np.max(np.abs(there.loss_mean / here.loss_mean - 1)))


def nanoseconds(prepare, arguments, work, steps, rounds):
    """Least time of an update; ``work`` of them a step and trajectory."""
    many, run = prepare(*arguments, steps)
    run()  # compiles
    seconds = []
    for _ in range(rounds):
        began = perf_counter()
        run()
        seconds.append(perf_counter() - began)
    return min(seconds) / (many * work * steps) * 1e9


class Table:
    """A table in Markdown, row by row until the time is up."""

    def __init__(self, title, columns, until):
        self.lines = ["", f"## {title}", "", "| case | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
        self.until, self.left_out = until, []

    def row(self, name, cells):
        """Add the results of these calls; a row for which no time is left is named below."""
        print(name, file=sys.stderr, flush=True)
        if perf_counter() > self.until:
            self.left_out.append(name)
            return
        self.lines.append(f"| {name} | " + " | ".join(cell() for cell in cells) + " |")

    def text(self):
        return [*self.lines, *(["", f"No time was left for: {', '.join(self.left_out)}."] if self.left_out else [])]


def measured(options, present):
    """The lines of all tables."""
    steps, rounds = (QUICK, 1) if options.quick else (STEPS, 3)
    until = perf_counter() + options.seconds
    quadratics = Table("Quadratics", ["difference from the CPU", *present], until)
    for case in CASES:
        cells = [lambda n=n, case=case: f"{nanoseconds(CONTESTANTS[n], (case,), case.dim, steps, rounds):.4f}" for n in present]
        quadratics.row(case.name, [lambda case=case: f"{check(case):.1e}", *cells])
    rows = Table(f"Mini-batches of {BATCH} of {ROWS} rows, SGD", list(TABLES), until)
    for dim in (10, 100):
        for dtype in DTYPES:
            cells = [
                lambda n=n, given=(dim, dtype): f"{nanoseconds(TABLES[n], given, given[0] * BATCH, steps, rounds):.4f}" for n in TABLES
            ]
            rows.row(f"d = {dim}, {dtype}", cells)
    recorded = Table("What statistics cost on the device: SGD, d = 10", list(RECORDED), until)
    for dtype in DTYPES:
        case = Case(10, "sgd", dtype)
        cells = [
            lambda more=more, case=case: f"{nanoseconds(lambda *a: on_device(*a, **more), (case,), 10, steps, rounds):.4f}"
            for more in RECORDED.values()
        ]
        recorded.row(dtype, cells)
    return [*quadratics.text(), *rows.text(), *recorded.text()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few steps, one round")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="after which no further row is begun")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    reason = reason_without()
    if reason is not None:
        print(f"benchmarks.cuda: nothing measured: {reason}", file=sys.stderr)
        return 2
    absent = [text for name in CONTESTANTS if (text := missing(name))]
    for text in absent:
        print(f"benchmarks.cuda: {text}", file=sys.stderr)
    present = [name for name in CONTESTANTS if not missing(name)]
    lines = ["# Ensembles on CUDA", "", f"{device_name()}. Nanoseconds per coordinate-update; floors: `benchmarks/NOTES.md`."]
    lines += [f"{text}." for text in absent] + measured(options, present)
    options.out.write_text("\n".join(lines) + "\n")
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
