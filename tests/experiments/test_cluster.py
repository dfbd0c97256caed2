"""Cells on a real scheduler and real worker processes: the same bits as here, whatever is killed."""

import json
import os
import re
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from optlab import problems, rules
from optlab.__main__ import main
from optlab.cli.output import talk
from optlab.errors import ClusterError, InputError, MissingDependencyError
from optlab.experiments import cluster as cluster_module
from optlab.experiments.cluster import connected, identity
from optlab.experiments.grid import run_grid
from optlab.experiments.grid_cells import Source
from optlab.experiments.grid_spec import read_grid
from optlab.experiments.store import Store
from optlab.experiments.sweep import Cell, Runner, simulation_cell
from tests.experiments.clusters import LocalMachines, deadly, failing, marked, threads_of_a_worker

pytestmark = pytest.mark.slow  # processes of their own, each of which imports and compiles

MINE = """
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta
beta, m = symbol("beta"), symbol("m")
MINE = Rule(name="mine", parameters={beta: Parameter("4/5", within="[0, 1)")}, state={m: State(init=0)},
            equations=((m, beta * m + (1 - beta) * g), (theta, theta - alpha * m)))
"""


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    found = LocalMachines(tmp_path_factory.mktemp("machines"))
    for threads in (1, 1, 2):
        found.add(threads)
    yield found
    found.close()


@pytest.fixture(scope="module")
def cluster(machines):
    with connected(machines.address) as found:
        wait_for(found, 3)
        yield found


def wait_for(cluster, workers):
    until = time.monotonic() + 120
    while len(cluster._client.nthreads()) != workers:
        assert time.monotonic() < until
        time.sleep(0.05)


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).glob("??/*.nc")}


def marks(folder):
    return sorted(int(path.name.partition("-")[0]) for path in Path(folder).iterdir())


def slow_cells(folder, count, seconds=0.1):
    folder.mkdir(exist_ok=True)
    return [Cell(f"number {k}", {"kind": "demo", "number": k}, partial(marked, str(folder), k, seconds)) for k in range(count)]


def test_the_same_bits_as_here_with_a_worker_killed_in_the_middle(cluster, machines, tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    quadratic = problems.quadratic(condition_number=100, dim=5, noise=1.0)
    several = [rules.get("sgd"), rules.get("adam"), rules.get(f"{tmp_path / 'mine.py'}:MINE")]
    (tmp_path / "mine.py").unlink()  # workers need not have it
    options = {"schedule": 0.1, "steps": 200, "trajectories": 1000}
    cells = [simulation_cell(f"{rule.name} {seed}", rule, quadratic, rng=seed, **options) for seed in range(8) for rule in several]
    cells += [simulation_cell("exact", several[0], quadratic, exact=True, schedule=0.1, steps=200)]
    told, victim = [], machines.workers[0]

    def progress(done, total, name):
        told.append((done, total, name))
        if done == 6 and victim.poll() is None:
            victim.send_signal(signal.SIGKILL)

    there = Runner(Store(tmp_path / "there"), progress, cluster=cluster)
    found = there(cells)
    assert victim.wait(60) == -signal.SIGKILL
    here = Runner(Store(tmp_path / "here"))
    expected = here(cells)
    assert (there.computed, there.read) == (here.computed, here.read) == (25, 0)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert all(one.identical(other) for one, other in zip(found, expected, strict=True))
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1][:2] == (25, 26)  # the last one is told with one ahead, as here
    again = Runner(Store(tmp_path / "there"), cluster=cluster)
    again(cells)
    assert (again.computed, again.read) == (0, 25)


def test_a_worker_takes_one_cell_at_a_time_with_the_threads_it_was_given(cluster):
    found = Runner(None, cluster=cluster)([Cell(f"{k}", {"k": k}, threads_of_a_worker) for k in range(12)])
    by_process = {int(data.process): int(data.threads) for data in found}
    assert set(by_process.values()) <= {1, 2}


def test_an_interrupt_keeps_what_is_finished_and_the_next_run_computes_the_rest(cluster, tmp_path):
    cells = slow_cells(tmp_path / "marks", 16)

    def interrupt(done, total, name):
        if done == 5:
            raise KeyboardInterrupt

    first = Runner(Store(tmp_path / "store"), interrupt, cluster=cluster)
    with pytest.raises(KeyboardInterrupt):
        first(cells)
    kept = len(contents(tmp_path / "store"))
    assert 5 <= kept < 16
    second = Runner(Store(tmp_path / "store"), cluster=cluster)
    assert [float(data.x) for data in second(cells)] == list(range(16))
    assert (second.computed, second.read) == (16 - kept, kept)


def test_an_error_of_a_cell_arrives_as_it_was_and_the_others_are_kept(cluster, tmp_path):
    cells = slow_cells(tmp_path / "marks", 6, 0.0)
    with pytest.raises(InputError, match="alpha = -1 is out of range"):
        Runner(Store(tmp_path / "store"), cluster=cluster)([*cells, Cell("bad", {"bad": 1}, failing)])
    second = Runner(Store(tmp_path / "store"), cluster=cluster)
    second(cells)
    assert second.read >= 1


def test_an_unknown_name_arrives_with_its_hint(cluster):
    with pytest.raises(InputError, match=r"unknown rule 'momentun'; did you mean 'momentum'"):
        Runner(None, cluster=cluster)([Cell("bad", {"bad": 2}, partial(rules.get, "momentun"))])


def test_what_needs_this_machine_is_not_sent(cluster):
    cell = Cell("here only", {"k": "here"}, lambda: pytest.fail("sent"), elsewhere=threads_of_a_worker)
    (found,) = Runner(None, cluster=cluster)([cell])
    assert int(found.process) != os.getpid()


TINY = """
sections = ["quadratics"]
rules = ["sgd", "adam"]
[quadratics]
kappas = [10]
dim = 3
steps = 40
batch = 4
trajectories = 64
"""


def test_the_report_says_the_same_from_a_cluster(cluster, machines, tmp_path, monkeypatch, capsys):
    (tmp_path / "tiny.toml").write_text(TINY)
    monkeypatch.chdir(tmp_path)

    def numbers(store, *more):
        assert main(["report", "tiny.toml", "--out", "page", "--store", store, "--json", *more]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return {key: value for key, value in json.loads(out).items() if key not in ("duration", "elapsed", "store", "created")}

    there = numbers("there", "--cluster", machines.address)
    monkeypatch.setenv("OPTLAB_CLUSTER", machines.address)
    assert numbers("named") == there
    monkeypatch.delenv("OPTLAB_CLUSTER")
    assert numbers("here") == there
    assert contents("there") == contents("named") == contents("here")


@pytest.mark.slow
def test_a_training_grid_is_the_same_from_a_cluster(cluster, tmp_path):
    spec = read_grid({
        "data": "synthetic(training=120, test=40, size=8)", "models": ["mlp(hidden=4)"], "rules": ["momentum", "adam"], "rates": [0.05],
        "schedules": ["cosine"], "seeds": [0], "final_seeds": [1], "epochs": 1, "batch": 20, "probe": 0, "baseline": False,
    })  # fmt: skip
    there, run = run_grid(spec, store=Store(tmp_path / "there"), cluster=cluster)
    here, _ = run_grid(spec, store=Store(tmp_path / "here"), threads=1)
    assert run.computed == 6
    assert there.tests == here.tests
    for one, other in zip(there.finals, here.finals, strict=True):
        assert one.setting == other.setting
        for left, right in zip(one.runs, other.runs, strict=True):
            for name in ("train_loss", "validation_accuracy", "best_parameters"):
                np.testing.assert_array_equal(left[name], right[name])


def test_other_images_on_a_worker_are_said(cluster):
    source = Source("synthetic(training=120, test=40, size=8)", None, None, "0123")
    with pytest.raises(InputError, match=r"a worker has other images \(\w+, not 0123\): copy the same ones there"):
        Runner(None, cluster=cluster)([Cell("x", {"x": 1}, source.images)])


def test_a_worker_that_joins_later_is_used(cluster, machines, tmp_path):
    before = len(cluster._client.nthreads())
    late = machines.add()
    wait_for(cluster, before + 1)
    found = Runner(Store(tmp_path / "store"), cluster=cluster)(slow_cells(tmp_path / "marks", 16))
    assert [float(data.x) for data in found] == list(range(16))
    assert late.pid in {int(path.name.split("-")[1]) for path in (tmp_path / "marks").iterdir()}
    assert marks(tmp_path / "marks") == list(range(16))  # none twice


# --- what cannot work, in one line ---


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


def test_another_engine_on_a_worker_is_an_error_before_anything_runs(cluster, machines, monkeypatch):
    monkeypatch.setattr(cluster_module, "package_fingerprint", lambda: "0123456789abcdef")
    with pytest.raises(ClusterError, match="install the same on both machines") as error, connected(machines.address):
        pytest.fail("connected")
    assert re.search(r"worker tcp://127\.0\.0\.1:\d+ has another optlab \([0-9a-f]{16}, here 0123456789abcdef\)", one_line(error))
    with pytest.raises(ClusterError, match="has another optlab") as error:  # of a worker that joined later
        Runner(None, cluster=cluster)([Cell("x", {"x": 1}, threads_of_a_worker)])
    one_line(error)


def test_another_version_on_a_worker_is_named(cluster, machines, monkeypatch):
    other = identity() | {"numba": "0.1"}
    monkeypatch.setattr(cluster_module, "identity", Other(other))
    with pytest.raises(ClusterError, match=r"has another numba \(0\.\d+\.\d+, here 0\.1\): install the same") as error:
        cluster_module._agree({"tcp://10.0.0.7:4444": identity()})
    one_line(error)


class Other:
    def __init__(self, value):
        self.value = value

    def __call__(self):
        return self.value


@pytest.mark.parametrize("address", ["nowhere", "http://127.0.0.1:1", "tcp://"])
def test_what_is_no_address_is_bad_input(address):
    with pytest.raises(InputError, match="is no address") as error, connected(address):
        pytest.fail("connected")
    one_line(error)


def test_a_scheduler_that_does_not_answer(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 0.5)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    assert main(["report", "tiny.toml", "--store", "cells", "--cluster", "tcp://127.0.0.1:1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("optlab: no scheduler answers at tcp://127.0.0.1:1 (")
    assert err.endswith("start one with `dask scheduler`, or correct the address\n")
    assert err.count("\n") == 1
    assert not list(tmp_path.rglob("*.html"))


def test_without_the_extra_the_message_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'optlab\[cluster\]'") as error, connected("tcp://127.0.0.1:8786"):
        pytest.fail("connected")
    one_line(error)


def test_a_cell_that_kills_every_worker_is_given_up_and_a_lost_scheduler_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 20)
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    machines = LocalMachines(tmp_path)
    try:
        machines.add()
        with connected(machines.address) as cluster:
            with pytest.raises(ClusterError, match="cell 'deadly' is given up: 1 workers died") as error:
                Runner(None, cluster=cluster)([Cell("deadly", {"deadly": 1}, deadly)])
            one_line(error)
            machines.add()
            wait_for(cluster, 1)
            cells = slow_cells(tmp_path / "marks", 20)

            def progress(done, total, name):
                if done == 4:
                    machines.scheduler.kill()

            with pytest.raises(ClusterError, match=r"is lost \(.*\); finished cells are kept: start it and run again") as error:
                Runner(Store(tmp_path / "store"), progress, cluster=cluster)(cells)
            one_line(error)
        kept = len(contents(tmp_path / "store"))
        assert kept >= 4
        here = Runner(Store(tmp_path / "store"))
        here(cells)
        assert (here.computed, here.read) == (20 - kept, kept)
    finally:
        machines.close()


def test_a_sweep_that_has_no_worker_left_says_so_once_and_goes_on_with_the_next_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 60)
    monkeypatch.setattr(cluster_module, "WAIT_SECONDS", 0.2)
    machines = LocalMachines(tmp_path)
    try:
        with connected((machines.add(), machines.address)[1]) as cluster, talk(quiet=True, verbose=False):
            assert Runner(None, cluster=cluster)(slow_cells(tmp_path / "marks", 1))[0].x == 0
            time.sleep(0.5)
            assert capsys.readouterr().err == ""  # nothing to say while there is one
            machines.workers[0].kill()
            wait_for(cluster, 0)
            said = []

            def later():
                until = time.monotonic() + 60
                while "waiting" not in "".join(said) and time.monotonic() < until:
                    time.sleep(0.1)
                    said.append(capsys.readouterr().err)
                time.sleep(1.0)  # no second line
                machines.add()

            thread = threading.Thread(target=later)
            thread.start()
            found = Runner(Store(tmp_path / "store"), cluster=cluster)(slow_cells(tmp_path / "marks", 3))
            thread.join()
        said.append(capsys.readouterr().err)
        assert [float(data.x) for data in found] == [0, 1, 2]
        assert (
            "".join(said) == f"optlab: no worker at {machines.address}: waiting for one (start it with `dask worker {machines.address}`)\n"
        )
    finally:
        machines.close()


def test_a_scheduler_without_workers_says_so(tmp_path, monkeypatch):
    machines = LocalMachines(tmp_path)
    client = cluster_module._client

    def then_impatient(address):
        found = client(address)
        monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 0.5)
        return found

    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 60)
    monkeypatch.setattr(cluster_module, "_client", then_impatient)
    try:
        with pytest.raises(ClusterError, match=f"has no workers: start one with `dask worker {machines.address}`") as error:
            cluster_module.Cluster(machines.address)
        one_line(error)
    finally:
        machines.close()
