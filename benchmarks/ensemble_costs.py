"""What surrounds the engine's kernel: threads, quantiles, the start of a process, compilation, the overhead of a call."""

import inspect
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import optlab as ol
from benchmarks.workload import RATE, Case

SLOW = ("process_start", "compile_time")  #: left out of ``--quick``


@dataclass
class Cost:
    """One measured figure: the median and range of its rounds, and the goal it is compared with."""

    what: str
    figures: list
    unit: str
    goal: float | None = None
    at_least: bool = False  #: the goal is a lower end

    @property
    def met(self):
        if self.goal is None:
            return ""
        value = median(self.figures)
        return "yes" if (value >= self.goal if self.at_least else value <= self.goal) else "no"


def _simulate(case, many, steps, **options):
    problem = ol.problems.quadratic(spectrum=list(case.curvature), noise=1.0)
    settings = {"threads": 1, "quantiles": (), "coordinates": False, "record": list(range(0, steps + 1, 10))} | options
    return ol.simulate(case.rule, problem, schedule=RATE, steps=steps, batch=1, trajectories=many, dtype=case.dtype, **settings)


def _timed(*arguments, **options):
    began = perf_counter()
    _simulate(*arguments, **options)
    return perf_counter() - began


def _in_turn(rounds, *works):
    for work in works:
        work()  # compiles
    taken = [[] for _ in works]
    for _ in range(rounds):
        for work, seconds in zip(works, taken, strict=True):
            seconds.append(work())
    return taken


def threads(rounds):
    """Time on one thread over time on two, the process free to use two cores meanwhile."""
    goal = "2 threads: speed-up, d = 100, Adam"
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    if (os.cpu_count() or 1) < 2:
        return Cost(f"{goal} (this machine has one core: not measured)", [], "x")
    case = Case(100, "adam", "float64")
    try:
        if mine is not None:
            os.sched_setaffinity(0, set(range(os.cpu_count())))
        one, two = _in_turn(rounds, lambda: _timed(case, 2048, 500, threads=1), lambda: _timed(case, 2048, 500, threads=2))
    finally:
        if mine is not None:
            os.sched_setaffinity(0, mine)
    return Cost(goal, [a / b for a, b in zip(one, two, strict=True)], "x", 1.9, at_least=True)


def quantiles(rounds):
    """What quantiles, and first passages where the engine has them, add to a run."""
    extra = {"quantiles": (0.05, 0.25, 0.5, 0.75, 0.95)}
    what = "quantiles"
    if "reach" in inspect.signature(ol.simulate).parameters:
        extra["reach"] = [0.1]
        what = "quantiles and first passage"
    case = Case(10, "sgd", "float64")
    plain, full = _in_turn(rounds, lambda: _timed(case, 4096, 500), lambda: _timed(case, 4096, 500, **extra))
    return Cost(f"{what}: time added, d = 10, SGD, every 10th step", [100 * (b / a - 1) for a, b in zip(plain, full, strict=True)], "%", 10)


def overhead(rounds):
    """A warm call whose kernel does next to nothing."""
    case = Case(1, "sgd", "float64")
    (tiny,) = _in_turn(max(rounds, 20), lambda: _timed(case, 1, 1, record=[0, 1]))
    return Cost("a warm call of one trajectory and one step", [1e3 * seconds for seconds in tiny], "ms", 5)


_FIRST = """
import optlab as ol
ol.simulate("adam", ol.problems.quadratic(condition_number=100, dim=10, noise=1.0), schedule=0.01, steps=10, trajectories=64)
"""

_COMPILE = """
import json, sys, time
import optlab as ol
problem = ol.problems.quadratic(condition_number=100, dim=10, noise=1.0)
options = dict(schedule=0.01, steps=10, trajectories=64, threads=1)
ol.simulate("sgd", problem, **options)  # what every combination shares is compiled here
took = []
for rule in sys.argv[1:]:
    began = time.perf_counter()
    ol.simulate(rule, problem, **options)
    cold = time.perf_counter() - began
    began = time.perf_counter()
    ol.simulate(rule, problem, **options)
    took.append(cold - (time.perf_counter() - began))
print(json.dumps(took))
"""


def _process(script, cache, *arguments):
    began = perf_counter()
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=os.environ | {"OPTLAB_CACHE": cache}, capture_output=True, text=True, check=True)
    return perf_counter() - began, done.stdout


def process_start(rounds):
    """A new process to its first result, kernels already on disk."""
    with tempfile.TemporaryDirectory() as cache:
        _process(_FIRST, cache)
        return Cost("process start to first result, warm cache", [_process(_FIRST, cache)[0] for _ in range(rounds)], "s", 1.2)


def compile_time(rounds):
    """A new combination of rule and problem in a running process, nothing on disk."""
    figures = []
    for _ in range(min(rounds, 2)):
        with tempfile.TemporaryDirectory() as cache:
            _, text = _process(_COMPILE, cache, "momentum", "rmsprop", "adam", "adamw")
        figures += [float(word) for word in text.strip().strip("[]").split(",")]
    return Cost("compilation of one new combination, empty cache", figures, "s", 1.5)


ALL = (threads, quantiles, overhead, process_start, compile_time)
