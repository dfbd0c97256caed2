"""Interrupted launches go on from their checkpoint to the very numbers of an uninterrupted one."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import optlab as ol
from optlab.errors import InputError, StoreError

ASKED = {
    "schedule": 0.1, "steps": 30, "batch": 4, "trajectories": 2001, "rng": 5, "record": [0, 1, 7, 30], "keep": 300, "outcomes": True,
    "reach": [1.0, 0.4],
}  # fmt: skip
PROBLEM = "quadratic(condition_number=10, dim=3, noise=0.5)"
GRID = {"axes": {"alpha": [0.05, 0.1, 3.0]}}


class Stopped(Exception):
    pass


def stopping(after):
    calls = []

    def progress(done, total):
        calls.append(done)
        if len(calls) == after:
            raise Stopped

    return progress


@pytest.mark.parametrize("grid", [{}, GRID], ids=["one cell", "three cells"])
@pytest.mark.parametrize(("threads", "chunk"), [((1, 1), (1, 1)), ((3, 3), (2, 2)), ((1, 3), (8, 1)), ((3, 1), (1, 4))])
def test_the_same_call_goes_on_to_the_same_numbers(tmp_path, grid, threads, chunk):
    file = tmp_path / "run.part"
    options = ASKED | grid
    expected = ol.simulate("momentum", PROBLEM, threads=1, **options)
    interrupted = 0
    for attempt in range(200):
        turn = attempt % 2
        try:
            run = ol.simulate(
                "momentum", PROBLEM, threads=threads[turn], chunk=chunk[turn], checkpoint=file, progress=stopping(3 if attempt < 4 else 10**9), **options
            )
            break
        except Stopped:
            interrupted += 1
            assert file.exists()
    assert interrupted == 4
    assert run.identical(expected)
    assert list(tmp_path.iterdir()) == []


def test_what_is_done_is_not_done_again(tmp_path):
    file, seen = tmp_path / "run.part", []
    with pytest.raises(Stopped):
        ol.simulate("momentum", PROBLEM, threads=1, chunk=1, checkpoint=file, progress=stopping(20), **ASKED)
    ol.simulate("momentum", PROBLEM, threads=1, chunk=1, checkpoint=file, progress=lambda done, total: seen.append(done), **ASKED)
    assert seen[0] >= 21 * 64  # twenty blocks are kept, and the one after them is counted
    assert len(seen) <= 32 - 20


DRIVER = """
import sys
import optlab as ol
from optlab.ensemble import engine
engine.SAVE_SECONDS = 0.0
def progress(done, total):
    print(done, flush=True)
ol.simulate("momentum", {problem!r}, threads=2, chunk=1, checkpoint=sys.argv[1], progress=progress, **{asked!r})
"""


def test_a_killed_process_loses_only_what_came_after_the_last_save(tmp_path):
    file = tmp_path / "run.part"
    asked = ASKED | GRID | {"trajectories": 20_000, "steps": 200, "record": [0, 200]}
    process = subprocess.Popen([sys.executable, "-c", DRIVER.format(problem=PROBLEM, asked=asked), str(file)], stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    lines = 0
    while lines < 12 and time.monotonic() < deadline:
        assert process.stdout.readline(), "the run ended before it could be killed"
        lines += 1
    process.kill()  # SIGKILL: nothing is cleaned up
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert file.exists()
    seen = []
    run = ol.simulate("momentum", PROBLEM, checkpoint=file, progress=lambda done, total: seen.append(done), chunk=1, threads=1, **asked)
    assert seen[0] > 64 * 2
    assert run.identical(ol.simulate("momentum", PROBLEM, **asked))
    assert not file.exists()


def held(tmp_path):
    file = tmp_path / "run.part"
    with pytest.raises(Stopped):
        ol.simulate("momentum", PROBLEM, threads=1, chunk=1, checkpoint=file, progress=stopping(3), **ASKED)
    return file


@pytest.mark.parametrize("change", [{"rng": 6}, {"steps": 31}, {"trajectories": 2002}, {"batch": 5}, {"reach": [1.0]}, {"keep": 2}, GRID])
def test_another_request_is_refused(tmp_path, change):
    file = held(tmp_path)
    before = file.read_bytes()
    with pytest.raises(InputError, match=r"run\.part belongs to another request: delete it, or name another file") as caught:
        ol.simulate("momentum", PROBLEM, checkpoint=file, **(ASKED | change))
    assert "\n" not in str(caught.value)
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no archive at all", None, "flipped"], ids=["empty", "text", "cut", "flipped"])
def test_a_broken_file_is_refused(tmp_path, content):
    file = held(tmp_path)
    whole = file.read_bytes()
    if content == "flipped":
        middle = len(whole) // 2
        content = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    file.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(StoreError, match=r"run\.part cannot be read .*: delete it to start anew") as caught:
        ol.simulate("momentum", PROBLEM, checkpoint=file, **ASKED)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        ol.simulate("momentum", PROBLEM, checkpoint=tmp_path / "none" / "run.part", **ASKED)


@pytest.mark.parametrize("problem", ["quadratic(condition_number=10, dim=3, theta0=normal)", "line_fit(label_noise=0.1)"])
def test_other_kinds_of_problems_go_on_as_well(tmp_path, problem):
    options = ASKED | {"trajectories": 700}
    file = tmp_path / "run.part"
    with pytest.raises(Stopped):
        ol.simulate("adam", problem, threads=2, chunk=1, checkpoint=file, progress=stopping(3), **options)
    resumed = ol.simulate("adam", problem, threads=2, checkpoint=file, **options)
    assert resumed.identical(ol.simulate("adam", problem, threads=1, **options))
    assert np.isfinite(resumed.loss_mean).all()


def test_the_file_is_small(tmp_path):
    """Statistics, not trajectories: 2001 runs of 4 records take less than 200 kB without keep and outcomes."""
    file = tmp_path / "run.part"
    with pytest.raises(Stopped):
        ol.simulate("momentum", PROBLEM, threads=1, chunk=1, checkpoint=file, progress=stopping(30), **(ASKED | {"keep": 0, "outcomes": False}))
    assert os.path.getsize(file) < 200_000
