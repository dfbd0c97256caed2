"""Kept results: round trips, damage, kills, full disks, and sweeps that go on where they were."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import optlab as ol
from optlab import problems, rules
from optlab.errors import StoreError
from optlab.experiments.store import _UNSUMMED, Store, checksum
from optlab.experiments.sweep import Cell, Runner, engine_fingerprint, simulation_cell

SPEC = {"kind": "demo", "seed": 3, "list": [1, 2.5, "x"], "text": "κ = 100"}


def demo(seed=0):
    rng = np.random.default_rng(seed)
    return xr.Dataset(
        {
            "loss": (("run", "step"), rng.normal(size=(3, 4)), {"long_name": "mean loss", "units": "1"}),
            "odd": ("step", [np.nan, np.inf, -np.inf, -0.0], {"long_name": "θ’s own"}),
            "scalar": 1.5,
            "narrow": ("step", rng.normal(size=4).astype(np.float32)),
        },
        {"step": np.array([0, 3, 17, 2**31 - 1]), "name": ("run", ["w", "b", "κ"])},
        {"rule": "sgd", "steps": 7, "half": 0.1, "title": "a = “b”", "values": np.array([0.25, 4.0])},
    )


def files(folder):
    return sorted(path for path in Path(folder).rglob("*") if path.is_file())


def equal(one, other):
    one, other = (data.drop_attrs(deep=False).assign_attrs({k: v for k, v in data.attrs.items() if k != "cell"}) for data in (one, other))
    return one.identical(other)


# --- round trips ---


def test_a_dataset_comes_back_as_it_was(tmp_path):
    store, data = Store(tmp_path), demo()
    kept = store.put(SPEC, data)
    found = Store(tmp_path).get(SPEC)
    assert equal(kept, found)
    assert set(found.variables) == set(data.variables)
    for name, variable in data.variables.items():
        np.testing.assert_array_equal(found[name].values, variable.values)
        assert found[name].attrs == variable.attrs
        assert found[name].dims == variable.dims
    assert np.signbit(found.odd.values[3])
    assert found.narrow.dtype == np.float32
    for key, value in data.attrs.items():
        np.testing.assert_array_equal(found.attrs[key], value)


def test_counts_come_back_as_equal_numbers(tmp_path):
    store = Store(tmp_path)
    store.put(SPEC, xr.Dataset({"n": ("x", np.array([1, -7, 2**53])), "yes": ("x", np.array([True, False, True]))}))
    found = store.get(SPEC)
    np.testing.assert_array_equal(found.n, [1, -7, 2**53])
    np.testing.assert_array_equal(found.yes, [1, 0, 1])


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)),
    st.dictionaries(
        st.sampled_from(["a", "long_name", "note"]),
        st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1),
    ),
)
def test_any_numbers_and_texts_come_back(tmp_path_factory, values, attrs):
    store = Store(tmp_path_factory.mktemp("store"))
    data = xr.Dataset({"x": ([f"d{i}" for i in range(values.ndim)], values)}, attrs=attrs)
    kept = store.put({"k": 1}, data)
    found = store.get({"k": 1})
    assert found.identical(kept)
    assert found.x.values.tobytes() == values.tobytes()
    assert {key: found.attrs[key] for key in attrs} == attrs


def test_a_result_that_holds_the_text_of_an_unwritten_checksum_is_kept_as_it_is(tmp_path):
    data = demo().assign_attrs(note=_UNSUMMED)
    kept = Store(tmp_path).put(SPEC, data)
    found = Store(tmp_path).get(SPEC)
    assert found.identical(kept)
    assert found.attrs["note"] == _UNSUMMED


@pytest.mark.parametrize("seed", [0, 2**31 - 1, 2**31, 5_000_000_000, 2**64 - 1])
def test_results_of_any_seed_are_kept(tmp_path, seed):
    problem = problems.quadratic(spectrum=[0.1, 1.0], noise=0.5)
    cell = simulation_cell("x", rules.get("sgd"), problem, schedule=0.1, steps=3, trajectories=64, rng=seed)
    (kept,) = Runner(Store(tmp_path))([cell])
    (found,) = Runner(Store(tmp_path))([cell])
    assert found.identical(kept)
    np.testing.assert_array_equal(found.loss_mean, cell.compute().loss_mean)


@pytest.mark.parametrize("largest", [2**31, 2**32])
def test_every_step_number_that_a_run_may_have_is_kept(tmp_path, largest):
    data = xr.Dataset({"x": ("step", [1.0, 2.0])}, {"step": np.array([0, largest])})
    Store(tmp_path).put(SPEC, data)
    np.testing.assert_array_equal(Store(tmp_path).get(SPEC).step, data.step)


def test_results_of_the_engine_come_back_bit_for_bit(tmp_path):
    problem = problems.quadratic(spectrum=[0.1, 1.0], noise=0.5)
    run = ol.simulate("sgd", problem, schedule=0.1, steps=20, trajectories=70, keep=2, outcomes=True)
    store = Store(tmp_path)
    store.put(SPEC, run)
    found = store.get(SPEC)
    for name in run.variables:
        np.testing.assert_array_equal(found[name].values, run[name].values)
    assert found.attrs["rule"] == "sgd"


def test_one_file_per_cell_named_by_its_spec(tmp_path):
    store = Store(tmp_path)
    assert store.get(SPEC) is None
    store.put(SPEC, demo())
    store.put(SPEC, demo())
    assert files(tmp_path) == [store.path(SPEC)]
    assert store.path(SPEC) == store.path(dict(reversed(SPEC.items())))
    assert store.path(SPEC).parent.name == store.path(SPEC).name[:2]
    others = [SPEC | {"seed": 4}, SPEC | {"seed": "3"}, SPEC | {"more": None}, {}]
    assert len({store.path(spec) for spec in [SPEC, *others]}) == 5
    for spec in others:
        assert store.get(spec) is None
    store.put(others[0], demo(1))
    assert sorted(found["seed"] for found in store.specs()) == [3, 4]
    with xr.open_dataset(store.path(SPEC), engine="scipy") as opened:  # any netCDF reader opens it
        assert opened.attrs["cell"].startswith('{"kind":"demo"')


def test_a_file_under_another_cells_name_is_not_taken_for_it(tmp_path):
    store, told = Store(tmp_path), []
    store.put(SPEC, demo())
    other = SPEC | {"seed": 4}
    store.path(other).parent.mkdir(exist_ok=True)
    os.replace(store.path(SPEC), store.path(other))
    store.on_damage = told.append
    assert store.get(other) is None
    assert len(told) == 1


def test_the_checksum_sees_every_part():
    seen = {checksum(demo())}
    changed = [
        demo().assign(loss=demo().loss + 1e-16 * (np.arange(12) == 7).reshape(3, 4)),
        demo().assign(loss=demo().loss * np.where(np.arange(12) == 7, 1 + 2.3e-16, 1).reshape(3, 4)),
        demo().rename(loss="lost"),
        demo().assign_attrs(rule="adam"),
        demo().assign_coords(step=[0, 3, 18, 2**31 - 1]),
        demo().assign_coords(name=("run", ["w", "b", "k"])),
        demo().assign(scalar=np.float32(1.5)),
        demo().assign(odd=("step", [np.nan, np.inf, -np.inf, 0.0], demo().odd.attrs)),
        demo().assign(odd=("step", demo().odd.values)),
    ]
    for data in changed[1:]:
        assert checksum(data) not in seen
        seen.add(checksum(data))
    assert checksum(demo().assign_attrs(checksum="anything")) == checksum(demo())


# --- damage ---


def damaged_copies(content):
    rng = np.random.default_rng(8)
    for place in rng.integers(0, len(content), 200):
        changed = bytearray(content)
        changed[place] ^= int(rng.integers(1, 256))
        yield f"byte {place}", bytes(changed)
    for length in [0, 1, 3, *rng.integers(4, len(content), 47)]:
        yield f"cut to {length}", content[:length]


def test_no_damage_is_ever_taken_for_a_result(tmp_path):
    store, told = Store(tmp_path), []
    store.on_damage = told.append
    store.put(SPEC, demo())
    path = store.path(SPEC)
    content, right = path.read_bytes(), store.get(SPEC)
    survived = 0
    for what, changed in damaged_copies(content):
        path.write_bytes(changed)
        before, aside = len(told), files(tmp_path)
        found = store.get(SPEC)
        if found is not None:
            assert found.identical(right), what
            survived += 1
            continue
        assert len(told) == before + 1, what
        assert "\n" not in told[-1]
        assert not path.exists(), what
        (kept,) = set(files(tmp_path)) - set(aside)
        assert kept.read_bytes() == changed  # set aside, not lost
        store.put(SPEC, demo())
        assert store.get(SPEC).identical(right)
        kept.unlink()
    assert survived <= 40  # padding and the record count only


def test_a_damaged_cell_is_computed_again(tmp_path):
    told, calls = [], []
    store = Store(tmp_path, told.append)

    def compute():
        calls.append(1)
        return demo()

    cell = Cell("demo", SPEC, compute)
    (first,) = Runner(store)([cell])
    path = store.path(SPEC)
    path.write_bytes(path.read_bytes()[:-9])
    runner = Runner(store)
    (second,) = runner([cell])
    assert (len(calls), runner.computed, runner.read) == (2, 1, 0)
    assert second.identical(first)
    assert "damaged" in told[0]
    assert path.name in told[0]
    assert Runner(store)([cell])[0].identical(first)
    assert store.specs() == [SPEC]


def test_listing_steps_over_damaged_files(tmp_path):
    store, told = Store(tmp_path), []
    store.put(SPEC, demo())
    store.put({"k": 2}, demo())
    store.path({"k": 2}).write_bytes(b"CDF")
    store.on_damage = told.append
    assert store.specs() == [SPEC]
    assert len(told) == 1


# --- kills and company ---

WRITER = """
import sys
import numpy as np, xarray as xr
from optlab.experiments.store import Store
store, first = Store(sys.argv[1]), int(sys.argv[2])
for k in range(first, 100_000):
    if k == first + 1:
        print("ready", flush=True)
    store.put({"k": k % 400}, xr.Dataset({"x": ("i", np.full(3000, float(k % 400)))}))
"""


def writer(folder, first=0):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(first)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def all_valid(folder):
    told = []
    store = Store(folder, told.append)
    count = 0
    for path in Path(folder).glob("??/*.nc"):
        with xr.open_dataset(path, engine="scipy") as opened:
            cell = opened.attrs["cell"]
        k = int(cell.split(":")[1].rstrip("}"))
        found = store.get({"k": k})
        assert found is not None, told
        np.testing.assert_array_equal(found.x.values, np.full(3000, float(k)))
        count += 1
    assert told == []
    return count


def test_a_kill_at_any_moment_leaves_only_whole_files(tmp_path):
    rng = np.random.default_rng(3)
    counts = []
    for _ in range(10):
        process = writer(tmp_path)
        time.sleep(float(rng.uniform(0.02, 0.3)))
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
        process.stdout.close()
        counts.append(all_valid(tmp_path))
    assert counts[-1] > 0


def test_two_processes_share_a_store(tmp_path):
    both = [writer(tmp_path, first) for first in (0, 3)]  # they write the same cells, at nearly the same time
    store, seen = Store(tmp_path), 0
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        for k in range(0, 60, 7):
            found = store.get({"k": k})
            if found is not None:
                assert np.all(found.x.values == k)
                seen += 1
    for process in both:
        assert process.poll() is None  # neither failed
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        process.stdout.close()
    assert seen > 10
    assert all_valid(tmp_path) > 0
    assert [path for path in files(tmp_path) if "damaged" in path.name] == []


# --- disks ---


@pytest.mark.parametrize("call", ["fsync", "replace", "write"])
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path, monkeypatch, call):
    store = Store(tmp_path)
    store.put({"k": 1}, demo())

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if call == "write":
            original = os.fdopen

            def opened(handle, *rest):
                stream = original(handle, *rest)

                class Full:
                    def __enter__(self):
                        return self

                    def __exit__(self, *details):
                        stream.close()

                    write = staticmethod(full)

                return Full()

            patch.setattr(os, "fdopen", opened)
        else:
            patch.setattr(os, call, full)
        with pytest.raises(StoreError, match="No space left on device") as caught:
            store.put(SPEC, demo())
    assert "\n" not in str(caught.value)
    assert str(store.path(SPEC)) in str(caught.value)
    assert files(tmp_path) == [store.path({"k": 1})]
    assert store.put(SPEC, demo()).identical(store.get(SPEC))


def test_a_store_that_cannot_be_made_or_read_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make the store"):
        Store(tmp_path / "file")
    store = Store(tmp_path / "store")
    store.path(SPEC).mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot read"):
        store.get(SPEC)
    with pytest.raises(StoreError, match="cannot write"):
        store.put(SPEC, demo())


# --- sweeps ---


def cells(problem=None, **options):
    problem = problem or problems.quadratic(spectrum=[0.1, 1.0], noise=0.5)
    defaults = {"schedule": 0.1, "steps": 20, "trajectories": 70, "record": "log"}
    return [simulation_cell(f"seed {k}", rules.get("sgd"), problem, rng=k, **(defaults | options)) for k in range(6)]


def test_an_interrupted_sweep_computes_only_the_rest(tmp_path):
    expected = Runner(Store(tmp_path / "whole"))(cells())
    broken = cells()

    def interrupt():
        raise KeyboardInterrupt

    broken[2] = Cell(broken[2].name, broken[2].spec, interrupt)
    first = Runner(Store(tmp_path / "other"))
    with pytest.raises(KeyboardInterrupt):
        first(broken)
    assert (first.computed, first.read) == (2, 0)
    told = []
    second = Runner(Store(tmp_path / "other"), lambda *parts: told.append(parts))
    found = second(cells())
    assert (second.computed, second.read) == (4, 2)
    assert told == [(k, 6, f"seed {k}") for k in range(6)]
    for one, other in zip(found, expected, strict=True):
        assert one.identical(other)
    third = Runner(Store(tmp_path / "other"))
    for one, other in zip(third(cells()), expected, strict=True):
        assert one.identical(other)  # read or computed: no difference
    assert (third.computed, third.read) == (0, 6)
    names = [sorted(p.name for p in files(tmp_path / folder)) for folder in ("whole", "other")]
    assert names[0] == names[1]


def test_without_a_store_everything_is_computed():
    runner = Runner(None)
    runner(cells()[:2])
    runner(cells()[:2])
    assert (runner.computed, runner.read) == (4, 0)


def test_what_the_numbers_depend_on_makes_another_cell(tmp_path, monkeypatch):
    from optlab.rules import Rule, alpha, g, theta

    store = Store(tmp_path)
    base = cells()[0]
    quadratic = problems.quadratic(spectrum=[0.1, 1.0], noise=0.5)

    def one(rule="sgd", problem=quadratic, **options):
        return simulation_cell(
            "x", rules.get(rule), problem, **({"schedule": 0.1, "steps": 20, "trajectories": 70, "record": "log", "rng": 0} | options)
        )

    assert store.path(one().spec) == store.path(base.spec)
    renamed = Rule(name="sgd", equations=((theta, theta - alpha * g),), summary="other words")
    assert store.path(one(renamed).spec) == store.path(base.spec)
    flipped = Rule(name="sgd", equations=((theta, theta + alpha * g),))
    changes = [
        one(flipped), one("momentum"), one("momentum(beta=0.5)"), one(problem=problems.quadratic(spectrum=[0.1, 1.0], noise=0.51)),
        one(schedule=0.11), one(schedule="inverse_sqrt(a=0.1)"), one(steps=21), one(batch=2), one(trajectories=71), one(rng=1),
        one(dtype="float32"), one(record=5), one(quantiles=(0.5,)), one(keep=1), one(outcomes=True), one(common=True),
        one(exact=True), one(limit=1e10),
    ]  # fmt: skip
    paths = {store.path(cell.spec) for cell in changes}
    assert len(paths) == len(changes)
    assert store.path(base.spec) not in paths
    monkeypatch.setattr("optlab.experiments.sweep.engine_fingerprint", lambda: "another engine")
    assert store.path(one().spec) != store.path(base.spec)


def test_the_engine_fingerprint_follows_the_source(tmp_path, monkeypatch):
    import shutil

    import optlab.experiments.sweep as sweep

    before = engine_fingerprint()
    root = tmp_path / "optlab"
    shutil.copytree(Path(sweep.__file__).parents[1], root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sweep, "__file__", str(root / "experiments" / "sweep.py"))
    try:
        engine_fingerprint.cache_clear()
        assert engine_fingerprint() == before
        with open(root / "ensemble" / "templates" / "lanes.py", "a") as file:
            file.write("# another engine\n")
        engine_fingerprint.cache_clear()
        assert engine_fingerprint() != before
    finally:
        monkeypatch.undo()
        engine_fingerprint.cache_clear()
    assert engine_fingerprint() == before
