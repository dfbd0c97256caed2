"""Cells of one core in worker processes: the same numbers, in the same places; errors and interrupts end them."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from optlab.errors import InputError, OptlabError
from optlab.experiments import processes
from optlab.experiments.store import Store
from optlab.experiments.sweep import Cell, Runner


def numbered(number):
    return xr.Dataset({"value": ("x", np.full(3, float(number))), "process": os.getpid()})


def told(progress):
    return lambda done, total, name: progress.append((done, total, name))


def eye(number):
    return Cell(f"eye {number}", {"eye": number}, partial(xr.Dataset, {"value": float(number)}), single=True)


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setenv("OPTLAB_PROCESSES", "2")
    yield
    processes.end()


def test_numbers_are_in_their_places_and_kept(two, tmp_path):
    progress, asked = [], [eye(n) for n in range(7)]
    runner = Runner(Store(tmp_path), told(progress))
    found = runner(asked)
    assert [float(one.value) for one in found] == list(range(7))
    assert runner.computed == 7
    assert progress[-1][0] == 7
    assert Runner(Store(tmp_path))(asked)[3].value == 3
    assert all(Store(tmp_path).took(cell.spec) is not None for cell in asked)  # measured where it was computed
    assert len(processes._team) == 2


def network(model, number, folder=None, meets=None):
    """A cell of a network; with ``meets`` one that does not end before that other cell has begun, so that the two run side by side."""
    name = f"{model}{number}"
    return Cell(name, {"kind": "images", "model": model, "seed": number}, partial(rendezvous, folder, name, meets), single=True)


def rendezvous(folder, name, meets):
    began, met = time.monotonic(), meets is None
    if folder:
        Path(folder, name).touch()
    while not met and time.monotonic() < began + 60:
        met = Path(folder, meets).exists()
        time.sleep(0.01)
    return xr.Dataset({"began": began, "ended": time.monotonic(), "process": os.getpid(), "met": met})


def test_the_first_cell_of_a_network_goes_ahead_and_others_of_it_wait(two, monkeypatch, tmp_path):
    """Cells that must run side by side wait for each other; that they met proves it, whatever the load."""
    monkeypatch.setattr(processes, "_compiled", set())
    plain = Cell("plain", {"kind": "line"}, partial(rendezvous, tmp_path, "plain", "a0"), single=True)
    asked = [network("a", 0, tmp_path, "plain"), *(network("a", n) for n in (1, 2, 3)), plain]
    first, *others, apart = Runner(None)(asked)
    assert first.met  # what needs no kernels waits for none
    assert apart.met
    assert apart.process != first.process
    assert all(float(other.began) >= float(first.ended) for other in others)
    one, other = Runner(None)([network("a", 4, tmp_path, "a5"), network("a", 5, tmp_path, "a4")])
    assert one.met  # compiled by now
    assert other.met
    one, other, third = Runner(None)([network("b", 0, tmp_path, "c0"), network("b", 1), network("c", 0, tmp_path, "b0")])
    assert one.met  # two networks at a time
    assert third.met
    assert float(other.began) >= float(one.ended)


@given(st.lists(st.sampled_from([None, "a", "b", "c"]), max_size=12), st.sets(st.sampled_from("ab")), st.integers(1, 4), st.data())
def test_every_task_is_handed_out_once_and_none_before_its_kernels(kernels, compiled, workers, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "_compiled", set(compiled))
        waiting, cached = processes.Waiting([processes.Task(k, b"", name) for k, name in enumerate(kernels)]), {None, *compiled}
        busy, handed = [], []
        while True:
            while len(busy) < workers and (task := waiting.next()) is not None:
                assert task.kernels in cached or task.kernels not in {other.kernels for other in busy}
                busy.append(task)
                handed.append(task.place)
            if not busy:
                break
            done = busy.pop(data.draw(st.integers(0, len(busy) - 1)))
            cached.add(done.kernels)
            waiting.done(done.place)
        assert sorted(handed) == list(range(len(kernels)))
        assert processes._compiled == set(compiled) | (set(kernels) - {None})


def test_what_cannot_be_sent_is_computed_here(two):
    found = Runner(None)([Cell(f"{n}", {"n": n}, lambda n=n: numbered(n), single=True) for n in range(3)])
    assert {int(one.process) for one in found} == {os.getpid()}


def test_one_cell_alone_and_cells_of_all_cores_are_computed_here(two):
    assert int(Runner(None)([Cell("alone", {}, partial(numbered, 0), single=True)])[0].process) == os.getpid()
    shared = [Cell(f"{n}", {"n": n}, partial(numbered, n)) for n in range(2)]
    assert {int(one.process) for one in Runner(None)(shared)} == {os.getpid()}
    assert not processes._team


def test_an_error_there_is_raised_here_and_ends_the_workers(two):
    bad = [eye(0), Cell("bad", {"bad": 1}, partial(np.linalg.inv, np.zeros((2, 2))), single=True)]
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        Runner(None)(bad)
    assert not processes._team


def test_a_worker_that_dies_is_one_line(two):
    dying = [Cell(f"{n}", {"n": n}, partial(os._exit, 3), single=True) for n in range(2)]
    with pytest.raises(OptlabError, match="a worker process ended with 3"):
        Runner(None)(dying)


@pytest.mark.parametrize("value", ["0", "many", "-1", "1.5"])
def test_a_wrong_number_of_processes_is_refused(value, monkeypatch):
    monkeypatch.setenv("OPTLAB_PROCESSES", value)
    with pytest.raises(InputError, match="OPTLAB_PROCESSES"):
        processes.processes()


def test_a_training_is_the_same_bits_in_another_process(two, monkeypatch):
    from optlab.experiments.norm_training import cell

    def runs():
        return Runner(None)([
            cell("mlp(hidden=4)", "batch", 0.1, batch=8, steps=3, seed=seed, training=100, test=50) for seed in (0, 1)
        ])  # fmt: skip

    there = runs()
    monkeypatch.setenv("OPTLAB_PROCESSES", "1")
    for one, other in zip(there, runs(), strict=True):
        xr.testing.assert_identical(one, other)


def test_workers_end_with_the_process_that_began_them(two):
    program = (
        "import os, time, numpy as np; from functools import partial; from optlab.experiments import processes;"
        "from optlab.experiments.sweep import Cell, Runner\n"
        "w = processes.Worker(); print(w._process.pid, flush=True); time.sleep(600)"
    )
    run = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    worker = int(run.stdout.readline())
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()
    for _ in range(300):
        stat = Path(f"/proc/{worker}/stat")
        if not stat.exists():
            return
        state = stat.read_text().split(")")[1].split()[0]
        if state == "Z":
            return
        time.sleep(0.1)
    raise AssertionError("the worker is still there")
