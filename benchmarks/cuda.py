"""The ensemble engine on a CUDA device beside its own CPU path, CuPy and PyTorch; and training (``benchmarks/cuda_training.py``).

    python -m benchmarks.cuda [--quick] [--out RESULT.md]

Nanoseconds per coordinate-update, least of the rounds; contestants that are not installed are left out and named. The workload is that
of ``benchmarks/workload.py``; before anything is timed the device's statistics are held against the CPU's. The floors are in NOTES.md.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import numpy as np

import optlab as ol
from benchmarks import cuda_training
from benchmarks.workload import BETA1, BETA2, DTYPES, EPS, RATE, Case
from optlab.codegen.cuda import device_name, reason_without

OUT = Path(__file__).parent / "results" / "cuda.md"
CASES = [Case(d, rule, dtype) for d in (1, 10, 100) for rule in ("sgd", "adam") for dtype in DTYPES]
ELEMENTS = 1 << 22  #: coordinates side by side on the device
STEPS, QUICK = 1000, 100


def simulate(case, steps, trajectories, **options):
    problem = ol.problems.quadratic(spectrum=list(case.curvature), noise=1.0, theta0=1.0)
    return ol.simulate(
        case.rule, problem, schedule=RATE, steps=steps, trajectories=trajectories, dtype=case.dtype, record=[0, steps], quantiles=(),
        coordinates=False, **options,
    )  # fmt: skip


def on_device(case, steps):
    many = ELEMENTS // case.dim
    return many, lambda: simulate(case, steps, many, backend="cuda")


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

    if not torch.cuda.is_available():
        raise ImportError("this build of torch sees no device")
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


CONTESTANTS = {
    "optlab CUDA": on_device, "one core": on_one_core, "all cores": on_all_cores, "CuPy": in_cupy, "torch": in_torch,
    "torch.compile": lambda case, steps: in_torch(case, steps, compiled=True),
}  # fmt: skip
NEEDS = {"CuPy": "cupy", "torch": "torch", "torch.compile": "torch"}


def check(case):
    """The statistics of the device are the CPU's: the same words, the same operations, the same reductions."""
    here, there = (simulate(case, 100, 4096, backend=backend) for backend in ("cpu", "cuda"))
    return float(np.max(np.abs(there.loss_mean / here.loss_mean - 1)))


def nanoseconds(prepare, case, steps, rounds):
    many, run = prepare(case, steps)
    run()  # compiles
    seconds = []
    for _ in range(rounds):
        began = perf_counter()
        run()
        seconds.append(perf_counter() - began)
    return min(seconds) / (many * case.dim * steps) * 1e9


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few steps, one round")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    reason = reason_without()
    if reason is not None:
        print(f"benchmarks.cuda: nothing measured: {reason}", file=sys.stderr)
        return 2
    present = [name for name in CONTESTANTS if find_spec(NEEDS.get(name, "optlab"))]
    absent = [name for name in CONTESTANTS if name not in present]
    lines = [
        "# Ensembles on CUDA", "", f"{device_name()}. Nanoseconds per coordinate-update; floors: `benchmarks/NOTES.md`.",
        *([f"Not installed here: {', '.join(absent)}."] if absent else []), "",
        "| case | difference from the CPU | " + " | ".join(present) + " |", "|---|---:|" + "---:|" * len(present),
    ]  # fmt: skip
    steps, rounds = (QUICK, 1) if options.quick else (STEPS, 3)
    for case in CASES:
        print(case.name, file=sys.stderr, flush=True)
        cells = [f"{check(case):.1e}"]
        for name in present:
            try:
                cells.append(f"{nanoseconds(CONTESTANTS[name], case, steps, rounds):.4f}")
            except ImportError as error:
                cells.append(str(error))
        lines.append(f"| {case.name} | " + " | ".join(cells) + " |")
    lines += cuda_training.lines(options.quick)
    options.out.write_text("\n".join(lines) + "\n")
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
