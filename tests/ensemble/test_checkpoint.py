"""What an interrupt keeps, and that going on from there gives the very numbers of a run that was never stopped."""

import subprocess
import sys

import numpy as np
import pytest

import optlab as ol
from optlab.errors import InputError, StoreError

OPTIONS = {
    "schedule": 0.1, "steps": 40, "trajectories": 5001, "keep": 300, "outcomes": True, "reach": [1.0, 0.3],
    "axes": {"alpha": [0.05, 0.1, 0.3]},
}  # fmt: skip


def problem():
    return ol.problems.quadratic(condition_number=10, dim=3, noise=0.5)


class Stop(Exception):
    pass


def stopping_after(calls):
    left = [calls]

    def progress(done, total):
        left[0] -= 1
        if left[0] == 0:
            raise Stop

    return progress


@pytest.mark.parametrize(("threads", "chunk"), [(1, 2), (3, 1)])
@pytest.mark.parametrize("stops", [(1,), (7, 30), (95,)])
def test_an_interrupted_launch_goes_on(tmp_path, threads, chunk, stops):
    whole = ol.simulate("momentum", problem(), **OPTIONS)
    file = tmp_path / "kept.part"
    for after in stops:
        with pytest.raises(Stop):
            ol.simulate("momentum", problem(), threads=threads, chunk=chunk, checkpoint=file, progress=stopping_after(after), **OPTIONS)
        assert file.exists()
    seen = []
    resumed = ol.simulate(
        "momentum", problem(), threads=2, chunk=4, checkpoint=file, progress=lambda done, total: seen.append((done, total)), **OPTIONS
    )
    assert resumed.identical(whole)
    assert not file.exists()
    assert seen[-1] == (3 * 5001, 3 * 5001)
    assert len(seen) < 3 * (-(-5001 // 256)) + 3  # what was done is not done again


def test_a_checkpoint_of_another_request_is_refused(tmp_path):
    file = tmp_path / "kept.part"
    with pytest.raises(Stop):
        ol.simulate("momentum", problem(), chunk=1, threads=1, checkpoint=file, progress=stopping_after(2), **OPTIONS)
    with pytest.raises(InputError, match="belongs to another request: delete it") as caught:
        ol.simulate("momentum", problem(), checkpoint=file, **(OPTIONS | {"steps": 41}))
    assert "\n" not in str(caught.value)
    assert file.exists()


@pytest.mark.parametrize("content", [b"", b"not a file of numbers", b"PK\x03\x04broken"])
def test_a_broken_checkpoint_is_refused(tmp_path, content):
    file = tmp_path / "kept.part"
    file.write_bytes(content)
    with pytest.raises(StoreError, match="delete it to start anew") as caught:
        ol.simulate("momentum", problem(), checkpoint=file, **OPTIONS)
    assert "\n" not in str(caught.value)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InputError, match="make it first"):
        ol.simulate("momentum", problem(), checkpoint=tmp_path / "no" / "kept.part", **OPTIONS)


KILLED = """
import os, sys
import optlab as ol
from optlab.ensemble import engine
engine.SAVE_SECONDS = 0.0
calls = [0]
def progress(done, total):
    calls[0] += 1
    if calls[0] == 4:
        os.kill(os.getpid(), 9)
problem = ol.problems.quadratic(condition_number=10, dim=3, noise=0.5)
ol.simulate("sgd", problem, schedule=0.1, steps=40, trajectories=5001, chunk=2, threads=2, checkpoint=sys.argv[1], progress=progress)
"""


def test_a_kill_loses_only_what_was_not_yet_saved(tmp_path):
    file = tmp_path / "kept.part"
    done = subprocess.run([sys.executable, "-c", KILLED, str(file)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -9, done.stderr
    first = []
    options = {"schedule": 0.1, "steps": 40, "trajectories": 5001}
    resumed = ol.simulate("sgd", problem(), chunk=2, checkpoint=file, progress=lambda n, total: first.append(n), **options)
    assert first[0] > 128  # it did not begin at the beginning
    assert resumed.identical(ol.simulate("sgd", problem(), **options))
    assert np.isfinite(resumed.loss_mean).all()
