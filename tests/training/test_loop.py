"""The loop: what it measures against slow arithmetic, and that no interruption changes a bit."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import optlab.data as data
from optlab.errors import InputError, Interrupted, StoreError
from optlab.training.checkpoint import Checkpoint
from optlab.training.loop import Loop
from optlab.training.measures import noise_scale, norm
from optlab.training.progress import Progress
from optlab.training.task import image_task, table_task
from tests.training import killed
from tests.training.standin import Softmax

ROOT = Path(__file__).parents[2]


def arrays(progress):
    return {name: value for name, value in progress.arrays().items() if name != "seconds"}


def same(one, two):
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


@pytest.fixture(scope="module")
def whole():
    return arrays(killed.build(None).run())


def test_what_is_measured_against_slow_arithmetic():
    images = data.synthetic(60, 20, size=8, seed=1)
    task = image_task(images, batch=10, seed=2, training=30, validation=20, augment=True, dtype="float64")
    assert task.sizes == {"training": 30, "validation": 20, "test": 20}
    rates = np.linspace(0.1, 0.2, 6)
    progress = Loop(Softmax(task.shape, 10), task, rates, 2, probe=2).run()
    twin = Softmax(task.shape, 10)
    for epoch in (1, 2):
        losses, right, norms, ratios = [], 0, [], []
        for place, (x, y) in enumerate(task.feed.epoch(epoch)):
            before = twin.parameters.copy()
            loss, correct = twin.step(x, y, rates[3 * (epoch - 1) + place])
            losses.append(loss)
            right += correct
            norms.append(math.sqrt(sum(g * g for g in twin.gradient)))
            ratios.append(np.linalg.norm(twin.parameters - before) / np.linalg.norm(before))
        history = {name: float(values[epoch - 1]) for name, values in progress.history.items()}
        assert history["train_loss"] == pytest.approx(np.mean(losses), rel=1e-12)
        assert history["train_accuracy"] == pytest.approx(right / 30, rel=1e-12)
        assert history["gradient_norm"] == pytest.approx(np.mean(norms), rel=1e-12)
        assert history["update_ratio"] == pytest.approx(np.mean(ratios), rel=1e-12)
        assert history["learning_rate"] == rates[3 * epoch - 1]
        x = np.concatenate([x.copy() for x, _ in task.feed.plain(task.validation)])
        loss, correct = twin.evaluate(x, task.validation.labels.astype(int))
        assert history["validation_loss"] == pytest.approx(loss, rel=1e-12)
        assert history["validation_accuracy"] == correct / 20
    np.testing.assert_array_equal(progress.state["parameters"], twin.parameters)
    assert progress.best_epoch == 1 + int(np.argmax(progress.history["validation_accuracy"]))


def test_measuring_the_noise_changes_nothing():
    task = killed.build(None).task
    rates = np.full(4 * task.feed.steps, 0.02)
    runs = [Loop(Softmax(task.shape, 10), task, rates, 4, probe=probe).run() for probe in (0, 5)]
    np.testing.assert_array_equal(runs[0].state["parameters"], runs[1].state["parameters"])
    assert np.isnan(runs[0].history["noise_scale"]).all()
    assert (runs[1].history["gradient_trace"] > 0).all()
    assert np.isfinite(runs[1].history["gradient_square"]).all()


def test_the_noise_scale_against_the_exact_one():
    """Gradients of least squares at a point: tr C and |g|^2 by hand, over all rows; the mean of many estimates of the parts is theirs."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4000, 3)), rng.standard_normal(4000)
    learner = Softmax((3,), 0, adam=False)
    learner.parameters = np.array([0.5, -1.0, 0.3, 0.2])
    rows = np.c_[x, np.ones(4000)]
    each = rows * (rows @ learner.parameters - y)[:, None]
    mean = each.mean(0)
    exact = float(np.trace(np.cov(each.T, bias=True)) / (mean @ mean))
    batches = [(x[k : k + 20], y[k : k + 20]) for k in range(0, 4000, 20)]
    state = learner.state()
    trace, square = noise_scale(learner, batches, state)
    found = trace / square
    assert found == pytest.approx(exact, rel=0.1)  # 200 batches; the seed is fixed
    assert np.isnan(noise_scale(learner, batches[:1], state)).all()
    grads = np.array([each[k : k + 20].mean(0) for k in range(0, 4000, 20)])
    s = float(np.sum(grads.var(0, ddof=1)))
    assert found == pytest.approx(20 * s / (float(np.sum(grads.mean(0) ** 2)) - s / 200), rel=1e-9)


def test_the_norm():
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    assert norm(values) == pytest.approx(np.linalg.norm(values.astype(float)), rel=1e-13)
    assert norm(np.full(4, 1e30, np.float32)) == pytest.approx(2e30, rel=1e-6)  # its square is beyond float32


@pytest.mark.parametrize("stop", [1, 7, 9, 10, 28, 35])
def test_ctrl_c_in_any_step_changes_nothing(tmp_path, whole, stop):
    loop = killed.build(tmp_path / "kept")
    seen = []

    def interrupt(done, total, label):
        seen.append(done)
        if done == stop:
            signal.raise_signal(signal.SIGINT)

    loop.tell = interrupt
    with pytest.raises(Interrupted, match=r"interrupted in epoch \d of 4.*--resume") as caught:
        loop.run()
    assert seen[-1] == stop
    assert caught.value.progress.state
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again = killed.build(tmp_path / "kept")
    same(arrays(again.run(resume=True)), whole)


def test_ctrl_c_twice_stops_at_once(tmp_path):
    loop = killed.build(tmp_path / "kept")

    def insist(done, total, label):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    loop.tell = insist
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_a_checkpoint_nothing_is_kept():
    loop = killed.build(None)
    loop.tell = lambda done, total, label: signal.raise_signal(signal.SIGINT)
    with pytest.raises(Interrupted, match="nothing was kept"):
        loop.run()


def test_in_another_thread_it_runs_all_the_same(whole):
    out = []
    worker = threading.Thread(target=lambda: out.append(killed.build(None).run()))
    worker.start()
    worker.join()
    same(arrays(out[0]), whole)


def test_killed_at_random_moments_and_resumed(tmp_path, whole):
    """SIGKILL after times drawn at random, until one run comes to its end: the same bits as a run that nobody touched."""
    rng = np.random.default_rng(5)
    kept, out = tmp_path / "kept", tmp_path / "out.npz"
    command = [sys.executable, "-m", "tests.training.killed", str(kept), str(out), "0.02"]
    kills, places = 0, set()
    while not out.exists():
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if kills < 4:
            deadline = time.monotonic() + 60
            before = kept.stat().st_mtime_ns if kept.exists() else 0
            while process.poll() is None and (not kept.exists() or kept.stat().st_mtime_ns == before) and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(float(rng.uniform(0, 0.12)))
            process.kill()
            kills += 1
        _, errors = process.communicate(timeout=120)
        assert process.returncode in (0, -signal.SIGKILL), errors.decode()
        found = Checkpoint(kept, {"a": "run"}).load()
        assert found is not None
        places.add((found.epoch, found.step))
    assert kills > 2
    assert len(places) > 2
    with np.load(out) as file:
        same(dict(file), whole)


def test_a_checkpoint_belongs_to_one_run(tmp_path, whole):
    loop = killed.build(tmp_path / "kept")
    loop.run()
    with pytest.raises(InputError, match="holds an interrupted run: go on with it"):
        killed.build(tmp_path / "kept").run()
    same(arrays(killed.build(tmp_path / "kept").run(resume=True)), whole)  # nothing was left to do
    with pytest.raises(InputError, match="belongs to another run"):
        Checkpoint(tmp_path / "kept", {"another": "run"}).load()
    with pytest.raises(InputError, match="no folder"):
        Checkpoint(tmp_path / "nowhere" / "kept", {})
    assert Checkpoint(tmp_path / "new", {}).load() is None


def test_a_damaged_checkpoint_is_one_line(tmp_path):
    path = tmp_path / "kept"
    checkpoint = Checkpoint(path, {})
    checkpoint.save(Progress(3))
    good = path.read_bytes()
    for content in (b"", good[:-1], good[:100] + b"x" + good[101:], b"hello" * 100):
        path.write_bytes(content)
        with pytest.raises(StoreError, match="delete it to start anew"):
            checkpoint.load()


def test_a_checkpoint_that_cannot_be_written(tmp_path):
    checkpoint = Checkpoint(tmp_path / "kept", {})
    os.mkdir(tmp_path / "kept")
    with pytest.raises(StoreError, match="cannot be written"):
        checkpoint.save(Progress(3))


def test_divergence_is_a_result():
    rng = np.random.default_rng(0)
    table = data.Table(rng.standard_normal((50, 2)), rng.standard_normal(50), ("a", "b"), "y")
    task = table_task(table, classify=False, batch=10, seed=0, validation=10, standardize=True, dtype="float64")
    loop = Loop(Softmax(task.shape, 0, adam=False), task, np.full(4000, 50.0), 1000)
    progress = loop.run()
    assert progress.done
    assert 0 < progress.diverged_at < 4000
    row = progress.diverged_at // 4
    assert np.isfinite(progress.history["train_loss"][: row - 1]).all()
    assert np.isnan(progress.history["train_loss"][row:]).all()
    assert progress.best_epoch == 1
    assert np.isfinite(progress.best["parameters"]).all()


def test_numbers_have_no_accuracy_and_the_least_loss_is_best():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 2))
    table = data.Table(x, x @ [1.0, -2.0] + 0.5, ("a", "b"), "y")
    task = table_task(table, classify=False, batch=10, seed=0, validation=10, standardize=False, dtype="float64")
    progress = Loop(Softmax(task.shape, 0, adam=False), task, np.full(5 * 40, 0.2), 40).run()
    assert np.isnan(progress.history["validation_accuracy"]).all()
    assert progress.best_epoch == 1 + int(np.argmin(progress.history["validation_loss"]))
    np.testing.assert_allclose(progress.state["parameters"], [1, -2, 0.5], atol=1e-6)


def test_the_probe_takes_batches_not_yet_seen():
    task = killed.build(None).task
    seen = []

    class Watching(Softmax):
        def step(self, inputs, targets, rate):
            if rate == 0:
                seen.append(inputs.copy())
            return super().step(inputs, targets, rate)

    Loop(Watching(task.shape, 10), task, np.full(4 * task.feed.steps, 0.02), 4, probe=2).run()
    expected = [x.copy() for epoch in (2, 3, 4, 5) for x, _ in islice(task.feed.epoch(epoch), 2)]
    for one, two in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(one, two)
