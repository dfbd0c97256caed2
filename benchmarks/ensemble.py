"""optlab's ensemble engine beside hand-written C++, NumPy, JAX and PyTorch on one workload, on one core.

    python -m benchmarks.ensemble [--quick] [--only WORD ...] [--out RESULT.md] [--skip-check]

``--only`` keeps the configurations and measurements in whose name every WORD occurs (``--only d=100 adam float32``); contestants are
chosen with ``--contestants optlab,C++``. Every round runs all contestants of a configuration in turn, so that a noisy machine hits all
of them; medians are compared. The workload is that of ``benchmarks/workload.py``; ``benchmarks/ensemble_check.py`` verifies the
contestants before anything is timed. Progress goes to standard error.
"""

# ruff: noqa: E402  one core and one thread are set before a library makes its pool of threads
import argparse
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before any thread pool is made
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

from benchmarks import ensemble_check, ensemble_costs, ensemble_report, peers_cpp, peers_jax, peers_numpy, peers_optlab, peers_torch
from benchmarks.workload import DIMS, DTYPES, RULES, SEGMENT, Case

OUT = Path(__file__).parent / "results" / "ensemble.md"
CONTESTANTS = ("optlab", "C++", "NumPy", "JAX", "torch", "torch.compile")


def say(text):
    print(text, file=sys.stderr, flush=True)


@dataclass
class Timing:
    """Nanoseconds per coordinate-update of one contestant on one case, round by round."""

    trajectories: int
    steps: int
    rounds: list = field(default_factory=list)

    @property
    def median(self):
        return median(self.rounds)

    @property
    def quartiles(self):
        low, _, high = quantiles(self.rounds, n=4, method="inclusive") if len(self.rounds) > 1 else (self.rounds[0],) * 3
        return low, high


def cases():
    """Every configuration: the quadratics, one recorded at every step, the mini-batches."""
    yield from (Case(d, rule, dtype) for d in DIMS for rule in RULES for dtype in DTYPES)
    yield Case(10, "sgd", "float64", every=1)
    yield from (Case(d, rule, dtype, table=True) for d in (10, 100) for rule in ("sgd", "adam") for dtype in DTYPES)


def takes_part(name, case):
    """Who covers what: mini-batches are optlab and C++ only, PyTorch has SGD and Adam."""
    if case.table:
        return name in ("optlab", "C++")
    return not name.startswith("torch") or (case.rule in peers_torch.RULES and case.every == 10)


CLOCKS = {"wall": perf_counter, "cpu": process_time}


def seconds(run, steps, clock=perf_counter):
    """What a run takes by the clock; ``cpu`` leaves out the time that the core gave to other processes."""
    began = clock()
    run(steps)
    return clock() - began


def calibrated(run, target):
    """Steps, a multiple of SEGMENT, that take about ``target`` seconds; the first run compiles and is not timed."""
    run(SEGMENT)
    steps = SEGMENT
    while (took := seconds(run, steps)) < target / 4:
        steps *= 2 if took == 0 else min(10, max(2, round(target / 4 / took)))
    return max(SEGMENT, round(steps * target / took / SEGMENT) * SEGMENT)


def measure(case, contestants, rounds, target, clock):
    """Timings by contestant, rounds in turn; a contestant that fails is left out with a word."""
    runs, timings, failed = {}, {}, {}
    for name, prepare in contestants.items():
        if not takes_part(name, case):
            continue
        try:
            many, run = prepare(case)
            timings[name] = Timing(many, calibrated(run, target))
            runs[name] = run
        except Exception as error:  # a peer that does not run must not hide the others
            failed[name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            say(f"  {name} failed on {case.name}: {failed[name]}")
    for _ in range(rounds):
        for name, run in runs.items():
            timing = timings[name]
            timing.rounds.append(1e9 * seconds(run, timing.steps, clock) / (timing.trajectories * timing.steps * case.dim))
    return timings, failed


def contestants(names, notes):
    """``prepare`` by contestant; what is missing is noted."""
    found = {"optlab": peers_optlab.prepare, "NumPy": peers_numpy.prepare}
    library = None
    if "C++" in names:
        try:
            say("building the C++ reference")
            library = peers_cpp.build()
            found["C++"] = peers_cpp.prepare(library)
        except RuntimeError as error:
            notes.append(f"C++ is skipped: {error}.")
    for name, module, prepare in (
        ("JAX", "jax", peers_jax.prepare),
        ("torch", "torch", peers_torch.prepare),
        ("torch.compile", "torch", peers_torch.prepare_compiled),
    ):
        if name in names:
            try:
                __import__(module)
                found[name] = prepare
            except ImportError:
                notes.append(f"{name} is skipped: {module} is not installed (pip install 'optlab[peers]').")
    return {name: found[name] for name in CONTESTANTS if name in names and name in found}, library


def check(found, library, quick):
    """Verify the contestants (``quick``: optlab and C++); a wrong one ends the run with exit code 1. Returns the largest z."""
    worst = 0.0
    if library is not None:
        say("checking the C++ reference: words, normals, divergence, rows, moments")
        worst = ensemble_check.cpp(library)
    for name, prepare in found.items():
        if name == "C++" or (quick and name != "optlab"):
            continue
        for rule in ("sgd", "adam"):
            case = Case(10, rule, "float64")
            say(f"checking {name}: {case.name}")
            other = None if rule == "sgd" else peers_numpy.prepare
            try:
                worst = max(worst, ensemble_check.moments(name, prepare, case, other=other))
            except ensemble_check.CheckFailed:
                raise
            except Exception as error:
                say(f"  {name} does not run: {type(error).__name__}")
    return worst


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ensemble", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run of about a minute: few configurations, short calls, no file")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="configurations whose name holds every WORD")
    parser.add_argument("--contestants", default=",".join(CONTESTANTS), help="comma-separated; default: all")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, help="of each timed call (default: 0.25)")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: for a machine that also runs other work")
    parser.add_argument("--skip-check", action="store_true", help="do not verify the contestants first")
    parser.add_argument(
        "--out", type=Path, help="where to write (default: benchmarks/results/ensemble.md; with --quick or --only: nowhere)"
    )
    options = parser.parse_args(arguments)
    names = options.contestants.split(",")
    if unknown := set(names) - set(CONTESTANTS):
        parser.error(f"no contestant {', '.join(sorted(unknown))}; there are {', '.join(CONTESTANTS)}")
    if options.quick:
        names = [name for name in names if name != "torch.compile"]
    notes = []
    found, library = contestants(names, notes)
    worst = None
    if not options.skip_check:
        try:
            worst = check(found, library, options.quick)
        except ensemble_check.CheckFailed as error:
            say(f"wrong: {error}")
            return 1
    rounds, target = (3, 0.05) if options.quick else (options.rounds, 0.25)
    target = options.seconds or target
    chosen = [case for case in cases() if all(word in case.name.split() or word == case.name for word in options.only)]
    if options.quick and not options.only:
        chosen = [c for c in chosen if c.rule in ("sgd", "adam") and c.dim in (1, 10) and c.dtype == "float64"]
    results = {}
    for place, case in enumerate(chosen, 1):
        timings, failed = measure(case, found, rounds, target, CLOCKS[options.clock])
        results[case] = timings
        notes += [f"{name} failed on {case.name}: {why}." for name, why in failed.items()]
        say(f"[{place}/{len(chosen)}] {case.name}: " + ", ".join(f"{name} {timing.median:.2f}" for name, timing in timings.items()))
    costs = []
    if "optlab" in found:
        for cost in ensemble_costs.ALL:
            if (not options.only or set(options.only) & set(cost.__name__.split("_"))) and not (
                options.quick and cost.__name__ in ensemble_costs.SLOW
            ):
                say(f"measuring {cost.__name__.replace('_', ' ')}")
                costs.append(cost(rounds))
    if "JAX" in found:
        notes += [
            f"JAX d={d} {dtype}: fastest with arrays {layout} and {prng}." for (d, dtype), (layout, prng) in peers_jax.variants().items()
        ]
    text = ensemble_report.render(results, costs, notes, rounds, worst, options.clock)
    out = options.out or (None if options.quick or options.only else OUT)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
