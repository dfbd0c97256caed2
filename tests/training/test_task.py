"""Tasks from tables and images, and schedules fitted to a run."""

import numpy as np
import pytest

import optlab.data as data
from optlab.errors import InputError
from optlab.schedules import get
from optlab.training.rates import fitted
from optlab.training.task import read_task

OPTIONS = {
    "folder": None, "label": None, "target": None, "columns": None, "drop_missing": False, "classify": False, "batch": 8, "seed": 0,
    "training": None, "validation": None, "augment": False, "standardize": True, "dtype": "float64",
}  # fmt: skip


def task_of(what, **options):
    return read_task(what, **(OPTIONS | options))


def test_a_csv_file(tmp_path):
    rng = np.random.default_rng(0)
    rows = np.c_[rng.normal(3, 2, (50, 2)), np.arange(50)]
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "\n".join(",".join(map(repr, map(float, row))) for row in rows))
    task = task_of(path, target="y")
    assert task.sizes == {"training": 40, "validation": 10, "test": 0}
    assert (task.name, task.shape, task.classes, task.test) == ("t.csv: y", (2,), (), None)
    x, y = task.feed.training
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-14)
    np.testing.assert_allclose(x.std(0), 1, atol=1e-14)
    kept = task.validation
    assert sorted([*y, *kept[1]]) == list(range(50))
    for features, target in zip(*kept, strict=True):  # validation rows are scaled by the training rows' numbers
        expected = (rows[int(target), :2] - task.feed.mean) / task.feed.deviation
        np.testing.assert_allclose(features, expected, atol=1e-13)
    raw = task_of(str(path), target="y", columns=["b"], standardize=False)
    assert raw.shape == (1,)
    assert raw.fingerprint != task.fingerprint


def test_each_epoch_takes_each_row_at_most_once():
    x = np.arange(30.0)[:, None]
    task = task_of((x, x[:, 0]), validation=4)
    assert task.feed.steps == 3
    seen = [np.concatenate([y for _, y in task.feed.epoch(epoch)]) for epoch in (1, 2)]
    assert all(len(set(part)) == 24 for part in seen)
    assert not np.array_equal(*seen)
    np.testing.assert_array_equal(np.concatenate([y for _, y in task.feed.epoch(2, 1)]), seen[1][8:])
    assert np.concatenate([y for _, y in task.feed.plain(task.feed.training)]).tolist() == task.feed.training[1].tolist()


def test_classes_are_whole_numbers_in_order():
    task = task_of((np.arange(20.0)[:, None], np.array([7, 3] * 10)), classify=True)
    assert task.classes == ("3", "7")
    assert set(task.feed.training[1]) == {0, 1}
    assert task.feed.training[1].dtype == np.int64
    with pytest.raises(InputError, match="not whole, so they are no classes"):
        task_of((np.arange(20.0)[:, None], np.arange(20) / 2), classify=True)
    with pytest.raises(InputError, match="too many for classes"):
        task_of((np.arange(2000.0)[:, None], np.arange(2000)), classify=True)


def test_small_tables_get_small_batches():
    task = task_of((np.arange(10.0)[:, None], np.arange(10.0)), batch=128)
    assert (task.feed.batch, task.feed.steps) == (8, 1)


@pytest.mark.parametrize(
    ("what", "options", "says"),
    [
        ((np.zeros((3, 2)), np.zeros(3)), {}, "in every row"),
        (("a", "b"), {}, "must be numbers"),
        ((np.arange(10.0)[:, None], np.arange(10.0)), {"training": 3}, "chooses among images"),
        ((np.arange(10.0)[:, None], np.arange(10.0)), {"validation": 10}, "validation = 10 must be from 1 to 9"),
        ("nowhere.csv", {"target": "y"}, "no such file"),
        (3, {}, "is no data"),
    ],
)
def test_bad_data_is_one_line(what, options, says):
    with pytest.raises(InputError, match=says):
        task_of(what, **options)


def test_images_by_name():
    task = task_of("synthetic(training=40, test=20, size=8)", training=20, label="mine")
    assert task.name == "mine"
    assert task.sizes == {"training": 20, "validation": 4, "test": 20}
    assert task.fingerprint != task_of("synthetic(training=40, test=20, size=8)").fingerprint
    same = data.synthetic(40, 20, size=8)
    assert task_of(same, training=20).fingerprint == task.fingerprint


@pytest.mark.parametrize(
    ("schedule", "options", "label"),
    [
        (0.1, {}, "constant(alpha=1/10)"),
        ("constant", {"alpha": 0.1}, "constant(alpha=1/10)"),
        ("cosine", {"alpha": 0.5}, "cosine(peak=1/2, steps=200)"),
        ("cosine(floor=0.25)", {"alpha": 0.5}, "cosine(peak=1/2, steps=200, floor=1/4)"),
        ("warmup_cosine", {"alpha": 0.5, "warmup": 3}, "warmup_cosine(peak=1/2, steps=200, warmup=3)"),
        ("warmup_cosine", {"alpha": 0.5}, "warmup_cosine(peak=1/2, steps=200, warmup=10)"),
        ("one_cycle", {"alpha": 0.5}, "one_cycle(base=1/50, peak=1/2, steps=200)"),
        ("cosine(peak=0.5, steps=7)", {}, "cosine(peak=1/2, steps=7)"),
    ],
)
def test_schedules_are_fitted_to_the_run(schedule, options, label):
    found = fitted(schedule, steps=200, **options)
    assert found.fingerprint == get(label).fingerprint
    assert all(float(found.at(step)) >= 0 for step in (0, 100, 199))


@pytest.mark.parametrize(
    ("schedule", "options", "says"),
    [
        ("cosine", {}, "needs peak: give alpha"),
        ("cosine(peak=1)", {"alpha": 0.5}, "no open learning rate"),
        ("inverse_time", {"alpha": 1}, "no open learning rate"),
        ("inverse_time(c=1)", {}, "needs t0: write it as inverse_time"),
    ],
)
def test_schedules_that_stay_open_are_one_line(schedule, options, says):
    with pytest.raises(InputError, match=says):
        fitted(schedule, steps=200, **options)
