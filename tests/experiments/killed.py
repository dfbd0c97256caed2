"""A sweep that the tests kill: ``python -m tests.experiments.killed`` imports everything once and forks a sweep for each line it is given.

A line is JSON: ``store``, ``log``, ``cells``, and if wanted ``backward`` and ``limit`` (largest file, bytes). The sweep's process id is
printed when it has been forked; then, after an empty line, its exit status as ``waitpid`` has it. In the log: a line for each cell when
its computation starts, and one at the end with what was computed and read.
"""

import json
import os
import resource
import sys

from optlab import problems, rules
from optlab.errors import OptlabError
from optlab.experiments.store import Store
from optlab.experiments.sweep import Cell, Runner, simulation_cell


def cell(seed):
    """A cell of the sweep: a few milliseconds of the engine."""
    problem = problems.quadratic(spectrum=[0.1, 1.0], noise=0.5)
    return simulation_cell(f"seed {seed}", rules.get("momentum"), problem, rng=seed, schedule=0.1, steps=60, trajectories=300, threads=2)


def sweep(store, log, cells, backward=False, limit=None):
    """Run the sweep in this process."""
    stream = os.open(log, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def logged(seed):
        made = cell(seed)

        def compute():
            os.write(stream, f"{seed}\n".encode())
            return made.compute()

        return Cell(made.name, made.spec, compute)

    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    runner = Runner(Store(store, on_damage=lambda message: os.write(stream, f"damage {message}\n".encode())))
    try:
        runner([logged(seed) for seed in (range(cells)[::-1] if backward else range(cells))])
    except OptlabError as error:
        os.write(stream, f"error {error}\n".encode())
        return 2
    os.write(stream, f"end {runner.computed} {runner.read}\n".encode())
    return 0


def main():
    cell(0).compute()  # compiled before the first fork
    print("ready", flush=True)
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            status = 3
            try:
                status = sweep(**json.loads(line))
            finally:
                os._exit(status)
        print(child, flush=True)
        sys.stdin.readline()  # until then its id is nobody else's
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
