"""Sweeps that are killed, share a store, or run out of disk: nothing is lost, nothing is computed twice, no number is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from optlab.experiments.store import Store
from tests.experiments.killed import cell, sweep

ROOT = Path(__file__).parents[2]


class Sweeps:
    """The process that forks sweeps."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.experiments.killed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self.process.stdout.readline() == "ready\n"

    def start(self, **options):
        self.process.stdin.write(json.dumps({key: str(v) if isinstance(v, Path) else v for key, v in options.items()}) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def run(self, **options):
        self.start(**options)
        return self.end()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(60) == 0


@pytest.fixture(scope="module")
def sweeps():
    found = [Sweeps(), Sweeps()]
    yield found
    for each in found:
        each.close()


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).glob("??/*.nc")}


def lines(log):
    return log.read_text().splitlines() if log.exists() else []


def computed(log, first=0):
    return [int(line) for line in lines(log)[first:] if line.isdecimal()]


@pytest.mark.parametrize(("kills", "cells"), [(5, 20), pytest.param(50, 200, marks=pytest.mark.slow)])
def test_a_sweep_killed_at_random_moments_loses_nothing(sweeps, tmp_path, kills, cells):
    sweep_of = sweeps[0]
    started = time.monotonic()
    assert sweep_of.run(store=tmp_path / "whole", log=tmp_path / "whole.log", cells=cells) == 0
    longest = 1.5 * (time.monotonic() - started) / kills  # together the kills fall all over the sweep, its start included
    whole, log, store = contents(tmp_path / "whole"), tmp_path / "log", tmp_path / "store"
    assert len(whole) == cells
    names = {seed: Store(tmp_path / "whole").path(cell(seed).spec).name for seed in range(cells)}
    rng, killed = np.random.default_rng(kills), 0
    while killed < kills:
        finished, before = contents(store), len(lines(log))
        child = sweep_of.start(store=store, log=log, cells=cells)
        time.sleep(float(rng.uniform(0, longest)))
        os.kill(child, signal.SIGKILL)
        status = sweep_of.end()
        assert status in (0, signal.SIGKILL)
        killed += status == signal.SIGKILL
        assert not {names[seed] for seed in computed(log, before)} & set(finished)  # what was finished is not computed again
        kept = contents(store)
        assert finished.items() <= kept.items()  # nor lost, nor changed
        assert kept.items() <= whole.items()  # every file is whole, and has the bits of the uninterrupted run
        if status == 0:  # it was over before the kill: begin anew
            store = tmp_path / f"store-{killed}-{len(lines(log))}"
    finished, before = contents(store), len(lines(log))
    assert sweep_of.run(store=store, log=log, cells=cells) == 0
    assert contents(store) == whole
    assert lines(log)[-1] == f"end {cells - len(finished)} {len(finished)}"
    assert len(computed(log, before)) == cells - len(finished)
    assert "damage" not in log.read_text()


def test_two_sweeps_share_a_store_while_one_is_killed(sweeps, tmp_path):
    cells, log = 20, tmp_path / "log"
    assert sweeps[0].run(store=tmp_path / "whole", log=tmp_path / "whole.log", cells=cells) == 0
    rng = np.random.default_rng(2)
    for k in range(2):
        store = tmp_path / f"store{k}"
        child = sweeps[1].start(store=store, log=log, cells=cells, backward=True)
        sweeps[0].start(store=store, log=log, cells=cells)  # they meet in the middle
        time.sleep(float(rng.uniform(0.02, 0.3)))
        os.kill(child, signal.SIGKILL)
        assert sweeps[1].end() in (0, signal.SIGKILL)
        assert sweeps[0].end() == 0
        assert contents(store) == contents(tmp_path / "whole")
    assert "damage" not in log.read_text()


def test_two_sweeps_compute_the_same_cells_at_the_same_time(sweeps, tmp_path):
    cells, log = 12, tmp_path / "log"
    for each in sweeps:
        each.start(store=tmp_path / "store", log=log, cells=cells)
    assert [each.end() for each in sweeps] == [0, 0]
    sweep(tmp_path / "alone", tmp_path / "alone.log", cells)
    assert contents(tmp_path / "store") == contents(tmp_path / "alone")
    ends = [tuple(map(int, line.split()[1:])) for line in lines(log) if line.startswith("end")]
    assert [done + read for done, read in ends] == [cells, cells]
    assert "damage" not in log.read_text()


def test_a_file_that_may_not_grow_is_one_line_and_costs_no_finished_cell(sweeps, tmp_path):
    sweeps[0].run(store=tmp_path / "store", log=tmp_path / "log", cells=5)
    before = contents(tmp_path / "store")
    limit = min(map(len, before.values())) // 2
    assert limit > 512
    assert sweeps[0].run(store=tmp_path / "store", log=tmp_path / "log", cells=9, limit=limit) == 2 << 8
    assert lines(tmp_path / "log")[-1].startswith("error cannot write")
    assert lines(tmp_path / "log")[-1].endswith("File too large; finished cells are kept: free some space and run again")
    assert contents(tmp_path / "store") == before
    assert list((tmp_path / "store").glob("??/.*")) == []
    assert sweeps[0].run(store=tmp_path / "store", log=tmp_path / "log", cells=9) == 0
    assert lines(tmp_path / "log")[-1] == "end 4 5"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 48 kB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(folder)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no right to mount a small disk here; the test with a largest file size and that with ENOSPC raised stand for it")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_costs_no_finished_cell(small_disk, sweeps, tmp_path):
    assert sweeps[0].run(store=small_disk / "store", log=tmp_path / "log", cells=24) == 2 << 8
    last = lines(tmp_path / "log")[-1]
    assert last.startswith(f"error cannot write {small_disk}")
    assert last.endswith("No space left on device; finished cells are kept: free some space and run again")
    kept = contents(small_disk / "store")
    assert 1 <= len(kept) < 24
    assert list((small_disk / "store").glob("??/.*")) == []
    sweeps[0].run(store=tmp_path / "whole", log=tmp_path / "whole.log", cells=len(kept))
    assert kept == contents(tmp_path / "whole")
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)  # some space is freed
    assert sweeps[0].run(store=small_disk / "store", log=tmp_path / "log", cells=24) == 0
    assert lines(tmp_path / "log")[-1] == f"end {24 - len(kept)} {len(kept)}"
