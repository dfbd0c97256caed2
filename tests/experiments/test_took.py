"""What computing a cell took is kept beside it: found when it is read, never in the way."""

import time

import pytest

from optlab.experiments.store import Store
from optlab.experiments.sweep import Cell, Runner
from tests.experiments.test_store import demo, equal


def working(name, seconds):
    def compute():
        time.sleep(seconds)
        return demo()

    return Cell(name, {"name": name}, compute)


def test_what_computing_a_cell_took_is_kept_beside_it(tmp_path):
    store, cells = Store(tmp_path), [working("short", 0.0), working("long", 0.2)]
    first = Runner(store)
    found = first(cells)
    assert not any(key.startswith("_") for data in found for key in data.attrs)
    short, long = (store.took(cell.spec) for cell in cells)
    assert long.seconds >= 0.2 > long.processor  # asleep, it works not
    assert first.took.seconds == pytest.approx(short.seconds + long.seconds, abs=1e-3)
    again = Runner(store)
    again(cells)
    assert (again.read, again.timed) == (2, 2)
    assert again.took.seconds == pytest.approx(short.seconds + long.seconds)
    assert [store.took(cell.spec) for cell in cells] == [short, long]  # reading is not computing
    kept = store.path(cells[1].spec).read_bytes()
    store.put(cells[1].spec, demo())
    assert store.path(cells[1].spec).read_bytes() == kept  # the same to the byte


@pytest.mark.parametrize("content", [None, "", "[1]", "{}", '{"seconds": "x", "processor": 1}', '{"seconds": NaN, "processor": 1}', "\0\1"])
def test_a_cell_of_which_it_is_not_known_is_read_all_the_same(tmp_path, content):
    store, cells = Store(tmp_path), [working("old", 0.0), working("new", 0.0)]
    Runner(store)(cells)
    beside = store.path(cells[0].spec).with_suffix(".took")
    beside.unlink()
    if content is not None:
        beside.write_text(content)
    runner = Runner(store)
    assert equal(runner(cells)[0], demo())
    assert (runner.read, runner.timed) == (2, 1)
    assert runner.took == store.took(cells[1].spec)


def test_what_it_took_is_that_of_the_last_computing_and_never_in_the_way(tmp_path, monkeypatch):
    store, cell = Store(tmp_path), working("slow", 0.15)
    store.put(cell.spec, demo())
    assert store.took(cell.spec) is None
    store.path(cell.spec).write_bytes(b"CDF")
    store.path(cell.spec).with_suffix(".took").mkdir()  # it cannot be written
    runner = Runner(store)
    runner([cell])
    assert (runner.computed, runner.timed) == (1, 1)
    assert Runner(store)([cell])[0].identical(store.get(cell.spec).drop_attrs(deep=False).assign_attrs(demo().attrs))
