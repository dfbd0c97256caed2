"""How a run behaves: progress, interrupts, memory, what it refuses."""

import math
import re
import subprocess
import sys
import threading

import pytest

import optlab as ol
from optlab.errors import InputError, UnknownNameError
from tests.ensemble.short_runs import noisy

# --- interrupts and progress ---


def test_progress_counts_up_to_all_trajectories():
    seen = []
    noisy(trajectories=1000, progress=lambda done, total: seen.append((done, total)))
    counts = [done for done, _ in seen]
    assert len(counts) > 1
    assert counts == sorted(set(counts))
    assert seen[-1] == (1000, 1000)
    assert {total for _, total in seen} == {1000}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupt_in_the_progress_callback_ends_the_run(error):
    before, calls = threading.active_count(), []

    def progress(done, total):
        calls.append(done)
        raise error("stop")

    outcome = []

    def attempt():
        try:
            noisy(trajectories=50_000, steps=300, threads=2, progress=progress)
        except BaseException as caught:
            outcome.append(type(caught))

    worker = threading.Thread(target=attempt, daemon=True)
    worker.start()
    worker.join(30)
    assert not worker.is_alive(), "the run hangs after an interrupt"
    assert outcome == [error]
    assert len(calls) == 1
    assert threading.active_count() == before
    assert noisy().loss_mean.notnull().all()


# --- memory ---

MEMORY = """
import resource, sys
import optlab as ol
problem = ol.problems.quadratic(spectrum=[0.02, 0.1, 0.3, 0.6, 1.0, 1.0], noise=0.5)
run = lambda n: ol.simulate("sgd", problem, schedule=0.1, steps=2, trajectories=n, record=[0, 2], threads=2)
run(10_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run(2_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_number_of_trajectories():
    """2,000,000 runs: one double each would be 16 MB, their coordinates 96 MB; less than 8 MB may be added."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, timeout=120, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 8e6


# --- what is refused ---

nan = float("nan")
BAD = {
    "negative steps": ({"steps": -1}, "steps = -1 must be a whole number"),
    "half a step": ({"steps": 1.5}, "steps = 1.5"),
    "nan steps": ({"steps": nan}, "steps = nan"),
    "infinite steps": ({"steps": math.inf}, "steps = inf"),
    "no trajectories": ({"trajectories": 0}, "trajectories = 0"),
    "too many": ({"trajectories": 2**33}, "2\\^32"),
    "batch": ({"batch": 0}, "batch = 0"),
    "whole table": ({"batch": None}, "batch=None means the whole table"),
    "dtype": ({"dtype": "float16"}, "unknown dtype 'float16'.*float"),
    "backend": ({"backend": "gpu"}, "unknown backend 'gpu'"),
    "record": ({"record": "often"}, "unknown record 'often'"),
    "record beyond": ({"record": [5, 13]}, "must name steps from 0 to 12"),
    "record none": ({"record": []}, "must name steps"),
    "record negative": ({"record": [-1]}, "record = -1"),
    "quantile": ({"quantiles": [1.5]}, "must lie in"),
    "negative quantile": ({"quantiles": [-0.1]}, "quantiles = -0.1"),
    "keep": ({"keep": -1}, "keep = -1"),
    "limit": ({"limit": 0}, "limit = 0"),
    "threads": ({"threads": 0}, "threads = 0"),
    "seed": ({"rng": -1}, "rng = -1 is no seed"),
    "schedule": ({"schedule": "cosin"}, "unknown schedule 'cosin'"),
    "rate": ({"schedule": -0.1}, "alpha = -0.1 is out of range"),
    "nan rate": ({"schedule": nan}, "alpha = nan"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_line(case):
    options, message = BAD[case]
    with pytest.raises(InputError) as caught:
        noisy(**options)
    assert re.search(message, str(caught.value)), caught.value
    assert "\n" not in str(caught.value)


def test_names_are_suggested():
    with pytest.raises(UnknownNameError, match="did you mean 'momentum'"):
        noisy("momentumm")
    table = ol.problems.least_squares([[1.0], [2.0]], [1.0, 2.0], sampling="subset")
    with pytest.raises(InputError, match="more than the table's 2 rows"):
        ol.simulate("sgd", table, schedule=0.1, steps=1, batch=3)
