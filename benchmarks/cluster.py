"""Cells on this machine and on a Dask cluster's workers: how many a second, what each costs, where the scheduler saturates.

    python -m benchmarks.cluster [RESULT.md]

A scheduler and worker processes (one thread each) run on loopback, as a user starts them. Wall-clock times tell what this machine did
beside its other work; processor times of the scheduler, the client and the workers, read from the system, hardly depend on that, and the
rates at which scheduler and client saturate are their reciprocals.
"""

import os
import platform
import sys
import tempfile
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time, sleep

import psutil
import xarray as xr

from optlab import problems, rules
from optlab.experiments.cluster import connected
from optlab.experiments.store import Store
from optlab.experiments.sweep import Cell, Runner, simulation_cell
from optlab.threads import threads_given
from tests.experiments.clusters import LocalMachines

RESULT = Path(__file__).parent / "results" / "cluster.md"
DIM = 10
#: name -> (cells, trajectories, steps); nothing is simulated in the first
SIZES = {"nothing": (150, 0, 0), "small": (60, 1_000, 100), "large": (6, 10_000, 1_000)}
TASKS = 1_500


def nothing(number):
    return xr.Dataset({"x": float(number)})


def cells(size, first=0):
    count, trajectories, steps = SIZES[size]
    numbers = range(first, first + count)
    if not trajectories:
        return [Cell(f"{k}", {"kind": "nothing", "number": k}, partial(nothing, k)) for k in numbers]
    problem = problems.quadratic(condition_number=100, dim=DIM, noise=1.0)
    options = {"schedule": 0.1, "steps": steps, "trajectories": trajectories, "quantiles": ()}
    return [simulation_cell(f"{k}", rules.get("sgd"), problem, rng=k, **options) for k in numbers]


def seconds(process):
    used = process.cpu_times()
    return used.user + used.system


def measure(runner_of, size, processes):
    """Wall seconds a cell, and processor seconds a cell of each of the processes and of this one."""
    with tempfile.TemporaryDirectory() as folder:
        made = cells(size)
        before, own, began = [seconds(p) for p in processes], process_time(), perf_counter()
        runner_of(Store(folder))(made)
        wall, own = perf_counter() - began, process_time() - own
        used = [seconds(p) - b for p, b in zip(processes, before, strict=True)]
    return {"wall": wall / len(made), "client": own / len(made), "others": [u / len(made) for u in used]}


def saturation(client, scheduler):
    """Empty tasks a second, and processor seconds of the scheduler and of this process for each."""
    began, busy, own = perf_counter(), seconds(scheduler), process_time()
    client.gather(client.map(_same, range(TASKS), pure=False, batch_size=TASKS))
    return TASKS / (perf_counter() - began), (seconds(scheduler) - busy) / TASKS, (process_time() - own) / TASKS


def _same(k):
    return k


def stored(count=200):
    """Processor and wall seconds of keeping a small cell and of reading it back."""
    made = cells("small")[:1][0].compute()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        out = []
        for work in (lambda k: store.put({"k": k}, made), lambda k: store.get({"k": k})):
            began, own = perf_counter(), process_time()
            for k in range(count):
                work(k)
            out.append(((process_time() - own) / count, (perf_counter() - began) / count))
    return out


def main(path):
    load, found, rates = [os.getloadavg()[0]], {}, {}
    for threads in (1, os.cpu_count() or 1):
        with threads_given(threads):
            Runner(None)(cells("small", 10_000)[:2])  # compiled
            for size in SIZES:
                found[f"here, {threads} thread{'s' * (threads > 1)}", size] = measure(Runner, size, [])
    disk = stored()
    with tempfile.TemporaryDirectory() as folder:
        machines = LocalMachines(Path(folder))
        try:
            scheduler = psutil.Process(machines.scheduler.pid)
            machines.add()
            with connected(machines.address) as cluster:
                for workers in (1, 2, 3):
                    if workers > 1:
                        machines.add()
                    while len(cluster._client.nthreads()) < workers:
                        sleep(0.1)
                    Runner(None, cluster=cluster)(cells("small", 20_000)[: 10 * workers])  # imported and compiled everywhere
                    Runner(None, cluster=cluster)(cells("nothing", 30_000)[: 10 * workers])
                    processes = [scheduler, *(psutil.Process(p.pid) for p in machines.workers)]
                    for size in SIZES:
                        name = f"{workers} worker{'s' * (workers > 1)}"
                        found[name, size] = measure(lambda store: Runner(store, cluster=cluster), size, processes)
                    rates[workers] = saturation(cluster._client, scheduler)
                    load.append(os.getloadavg()[0])
        finally:
            machines.close()
    path.write_text(page(found, rates, disk, load), encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


def page(found, rates, disk, load):
    names = list(dict.fromkeys(name for name, _ in found))
    about = ", ".join(f"{p} {version(p)}" for p in ("numba", "dask", "distributed"))
    lines = [
        "# Cells here and on a Dask cluster", "",
        f"{date.today()}, {_processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}; {about}.",
        f"Command: `python -m benchmarks.cluster`. Load averages {min(load):.1f} to {max(load):.1f} on {os.cpu_count()} cores: where that"
        " is more than the cores,",
        "other work slows wall-clock times down by about as much; processor times hardly depend on it. Scheduler, workers (one thread",
        "each) and client share these cores: more workers than cores cannot be faster here.", "",
        "Cells: *nothing* computes nothing; *small* is SGD on a quadratic, d = 10, 1,000 trajectories of 100 steps (1e6",
        "coordinate-updates); *large* 10,000 of 1,000 (1e8). Each is kept in the store (written, flushed, renamed) when it is there.", "",
        "## Cells a second (wall clock)", "", "| where | " + " | ".join(SIZES) + " |", "|---" * (len(SIZES) + 1) + "|",
        *(f"| {name} | " + " | ".join(f"{1 / found[name, size]['wall']:.3g}" for size in SIZES) + " |" for name in names),
        "", "## Processor milliseconds a cell", "",
        "| where | cell | this process (client and store) | scheduler | all workers |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name in names:
        for size in SIZES:
            it = found[name, size]
            others = [f"{1e3 * it['others'][0]:.2f}", f"{1e3 * sum(it['others'][1:]):.1f}"] if it["others"] else ["", ""]
            lines.append(f"| {name} | {size} | {1e3 * it['client']:.1f} | {others[0]} | {others[1]} |")
    lines += ["", "What a scheduler or a worker uses while it waits is counted too: the longer a cell takes by the clock, the more.", ""]
    (put, put_wall), (get, get_wall) = disk
    one = names[0]
    lines += [
        "## Overhead of a cell", "",
        f"- Keeping a small cell: {1e3 * put:.1f} ms of processor time ({1e3 * put_wall:.1f} ms by the clock); reading it back checked:"
        f" {1e3 * get:.1f} ms ({1e3 * get_wall:.1f}).",
    ]  # fmt: skip
    for name in names[2:]:
        it, here = found[name, "nothing"], found[one, "nothing"]
        lines.append(
            f"- {name}: {1e3 * (it['client'] - here['client'] + sum(it['others'])):.1f} ms of processor time more than here (client,"
            f" scheduler and workers together); {1e3 * (it['wall'] - here['wall']):+.1f} ms by the clock."
        )
    lines += [
        "", f"## Where the scheduler saturates ({TASKS:,} empty tasks)", "",
        "| workers | tasks a second (wall clock) | scheduler, µs of processor a task | tasks a second one core of the scheduler can do |",
        "|---|---|---|---|",
    ]  # fmt: skip
    lines += [f"| {workers} | {rate:.0f} | {1e6 * busy:.0f} | {1 / busy:.0f} |" for workers, (rate, busy, _) in rates.items()]
    slowest = max(found[name, "nothing"]["client"] for name in names[2:])
    lines += [
        "",
        f"A client with a store takes up to {1e3 * slowest:.1f} ms of processor time for a result of one number:"
        f" {1 / slowest:.0f} such cells a second keep one core busy.", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else RESULT)
