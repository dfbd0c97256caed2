"""Memory: what does not fit is refused before it starts, and what runs stays small."""

import re
import subprocess
import sys

import pytest

import optlab as ol
from optlab.errors import InputError

PROBLEM = "quadratic(condition_number=10, dim=10, noise=0.5)"


def refused(**options):
    with pytest.raises(InputError) as caught:
        ol.simulate("sgd", PROBLEM, schedule=0.1, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("options", [
    {"steps": 10**6, "record": 10**6, "trajectories": 1, "memory": 1e9},
    {"steps": 1000, "record": 1001, "keep": 10**5, "trajectories": 10**5, "memory": 1e9},
    {"steps": 10, "outcomes": True, "trajectories": 10**9, "memory": 4e9},
    {"steps": 1000, "record": 1001, "trajectories": 10, "memory": 1e8, "axes": {"alpha": [k / 10**4 for k in range(1, 1001)]}},
])  # fmt: skip
def test_what_cannot_fit_is_refused_with_numbers_and_a_mend(options):
    message = refused(**options)
    found = re.search(r"need about ([\d,]+) MB, and ([\d,]+) MB are allowed: record fewer steps, .* give memory=", message)
    assert found, message
    need, allowed = (float(text.replace(",", "")) for text in found.groups())
    assert allowed == options["memory"] / 1e6
    assert need > allowed


def test_the_machine_has_a_limit_of_its_own():
    assert "MB are allowed" in refused(steps=10**4, record=10**4, keep=10**9, trajectories=10**9)


def test_what_fits_is_run_at_the_limit_said():
    message = refused(steps=100, record=101, trajectories=100, memory=1)
    need = float(re.search(r"need about ([\d,]+) MB", message).group(1).replace(",", "")) * 1e6
    run = ol.simulate("sgd", PROBLEM, schedule=0.1, steps=100, record=101, trajectories=100, memory=need + 1e6)
    assert run.sizes["step"] == 101


USED = """
import resource, sys
import optlab as ol
def peak():
    try:  # of this program alone: what getrusage says may be the peak of the process that started it
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
records, trajectories, steps = map(int, sys.argv[1:])
ol.simulate("sgd", {problem!r}, schedule=0.1, steps=1, trajectories=64, threads=2)  # what is imported and compiled
before = peak()
ol.simulate("sgd", {problem!r}, schedule=0.1, steps=steps, record=records, trajectories=trajectories, threads=2)
print(before, peak())
"""


def used(records, trajectories, steps):
    """Peak bytes before and after a launch in a process of its own."""
    command = [sys.executable, "-c", USED.format(problem=PROBLEM), *map(str, (records, trajectories, steps))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return [int(part) for part in done.stdout.split()]


def test_a_hundred_thousand_runs_of_a_thousand_records_stay_below_500_mb():
    _, after = used(1001, 100_000, 1000)
    assert after < 500e6


@pytest.mark.parametrize("steps", [10_000])
def test_memory_of_many_records_does_not_grow_with_the_runs(steps):
    """10,001 records: the counts behind their quantiles are the most of it; four times the runs add less than 32 MB."""
    few, many = (used(steps + 1, runs, steps)[1] for runs in (2560, 10_240))
    assert many < 500e6
    assert many - few < 32e6
