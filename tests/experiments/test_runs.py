"""What a store holds: found, exported, cleaned; and damage of every kind, which never becomes a number."""

import csv
import os
import struct
import time

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from optlab import problems, rules
from optlab.errors import InputError, StoreError
from optlab.experiments import kinds
from optlab.experiments.exports import export_csv, export_netcdf
from optlab.experiments.runs import clean, find, load, rubbish, runs
from optlab.experiments.store import Store
from optlab.experiments.sweep import Runner, simulation_cell

DAY = 86400.0


def cells():
    problem = problems.quadratic(spectrum=[0.1, 1.0], noise=0.5)
    options = {"schedule": 0.1, "steps": 20, "trajectories": 70}
    made = [simulation_cell(name, rules.get(name), problem, rng=seed, **options) for name in ("sgd", "adam") for seed in (0, 1)]
    return [*made, simulation_cell("exact", rules.get("sgd"), problem, exact=True, schedule=0.1, steps=20)]


@pytest.fixture
def store(tmp_path):
    found = Store(tmp_path / "store")
    Runner(found)(cells())
    for k, cell in enumerate(cells()):
        os.utime(found.path(cell.spec), (time.time() - k * DAY - 60,) * 2)
    return found


def everything(store):
    """Every file; what a cell took goes with it, and is looked at on its own."""
    return {path.name: path.read_bytes() for path in store.folder.rglob("*") if path.is_file() and path.suffix != ".took"}


def test_runs_are_listed_the_newest_first_and_chosen(store):
    found = runs(store)
    assert [run.path for run in found] == [store.path(cell.spec) for cell in cells()]
    assert [run.kind for run in found] == ["simulate"] * 4 + ["predict"]
    assert [run.rule for run in runs(store, rule="ada")] == ["adam", "adam"]
    assert len(runs(store, kind="predict")) == 1
    assert [run.spec["seed"] for run in runs(store, kind="simulate", text='"SEED":1')] == [1, 1]
    first = found[0]
    assert (first.trajectories, first.steps, first.size) == (70, "20", first.path.stat().st_size)
    assert first.problem.startswith("quadratic(")
    assert found[-1].trajectories is None
    assert not any(run.outdated for run in found)


def test_a_run_is_found_by_the_beginning_of_its_id(store):
    for run in runs(store):
        assert find(store, run.id).path == find(store, run.id[:12].upper()).path == run.path
        assert load(store, run).identical(store.get(run.spec))


def test_ids_that_are_unknown_or_stand_for_several_are_named(store, tmp_path):
    id = runs(store)[0].id
    wrong = id[:8] + ("0" if id[8] != "0" else "1") + id[9:10]
    with pytest.raises(InputError, match=f"no cell '{wrong}' among the 5 in .*; did you mean '{id[:10]}'"):
        find(store, wrong)
    with pytest.raises(InputError, match="no cell 'zzz' among the 5"):
        find(store, "zzz")
    with pytest.raises(InputError, match="no cell '' among the 0 in"):
        find(Store(tmp_path / "empty"), "")
    twin = store.path({"k": 0})
    for k in range(40):  # until two begin with the same digit
        store.put({"k": k}, xr.Dataset({"x": 1.0}))
    with pytest.raises(InputError, match=r"'.' is the beginning of \d+ ids in .*: give more digits"):
        find(store, twin.stem[0])


# --- export ---


def test_exported_netcdf_is_the_cell(store, tmp_path):
    found = runs(store)
    assert export_netcdf(store, found[:1], tmp_path / "one.nc") == [tmp_path / "one.nc"]
    written = export_netcdf(store, found, tmp_path / "all")
    assert len(written) == 5
    for run, path in zip(found, written, strict=True):
        with xr.open_dataset(path, engine="scipy") as opened:
            np.testing.assert_array_equal(opened.loss_mean, load(store, run).loss_mean)
    with pytest.raises(InputError, match="is one netCDF file, and 5 cells are asked for"):
        export_netcdf(store, found, tmp_path / "one.nc")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*; give --out a name that you can write to"):
        export_netcdf(store, found, tmp_path / "file")


def test_exported_csv_holds_the_same_bits(store, tmp_path):
    found = runs(store)
    lines = export_csv(store, found, tmp_path / "runs.csv")
    with (tmp_path / "runs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == lines == sum(int(v.size) for run in found for v in load(store, run).data_vars.values())
    assert list(rows[0])[:7] == ["id", "kind", "rule", "problem", "schedule", "trajectories", "seed"]
    for run in found:
        data = load(store, run)
        mine = [row for row in rows if row["id"] == run.id[:12]]
        assert {row["rule"] for row in mine} == {run.rule}
        loss = [(int(row["step"]), float(row["value"])) for row in mine if row["variable"] == "loss_mean"]
        assert loss == list(zip(data.step.values.tolist(), data.loss_mean.values.tolist(), strict=True))
        if "loss_quantile" in data:
            quantiles = {(float(r["quantile"]), int(r["step"])): float(r["value"]) for r in mine if r["variable"] == "loss_quantile"}
            assert quantiles[0.5, 20] == float(data.loss_quantile.sel(quantile=0.5, step=20))


def test_a_damaged_cell_is_not_exported(store, tmp_path):
    told = []
    store.on_damage = told.append
    run = runs(store)[0]
    content = bytearray(run.path.read_bytes())
    content[-5] ^= 1
    run.path.write_bytes(content)
    with pytest.raises(StoreError, match=f"cell {run.id[:12]} in .* is damaged or gone: run what made it again"):
        export_csv(store, [run], tmp_path / "runs.csv")
    assert not (tmp_path / "runs.csv").exists()
    assert "set aside" in told[0]


# --- cleaning ---


def test_cleaning_takes_what_is_rubbish_and_nothing_else(store):
    found, before = runs(store), everything(store)
    assert rubbish(store) == []
    folder, stem = found[0].path.parent, found[0].path.stem
    old = (time.time() - 7200,) * 2
    beside = {
        folder / f".{stem}.nc.abc123.part": "left by a killed writer",
        folder / f".{stem}.nc.def456.part": None,  # being written
        folder / f"{stem}.part": "a checkpoint of a finished run",
        folder / f"{'0' * 64}.part": None,  # a training run that will go on
        folder / f"{stem}.damaged-00ff00ff": "a damaged file",
        folder / f"{stem}.damaged-4711": "a damaged file",
    }
    for path in beside:
        path.write_bytes(b"123")
    os.utime(next(iter(beside)), old)
    told = []
    store.on_damage = told.append
    bad = found[1].path
    bad.write_bytes(bad.read_bytes()[:-9])
    items = rubbish(store)
    assert "damaged" in told[0]
    assert bad.name in told[0]
    assert {item.path: item.why for item in items if item.path in beside} == {path: why for path, why in beside.items() if why}
    took, aside = sorted((item for item in items if item.path not in beside), key=lambda item: item.path.name.startswith(bad.stem + ".d"))
    assert (took.path, took.why) == (bad.with_suffix(".took"), "what a cell that is gone took")
    assert aside.path.name.startswith(f"{bad.stem}.damaged-")
    assert all(item.path.exists() for item in items)  # nothing is deleted before it is said
    clean(items)
    after = everything(store)
    assert after == {name: before[name] for name in before if name != bad.name} | {
        p.name: b"123" for p, why in beside.items() if why is None
    }
    assert rubbish(store) == []
    clean(items)  # again: gone already
    assert {path.stem for path in store.folder.rglob("*.took")} == {path.stem for path in store.files()}
    clean(rubbish(store, older_than=0))
    assert not list(store.folder.rglob("*.took"))


def test_cleaning_by_age(store):
    found = runs(store)
    checkpoint = found[0].path.with_name("0" * 64 + ".part")
    checkpoint.write_bytes(b"123")
    os.utime(checkpoint, (time.time() - 3 * DAY,) * 2)
    items = rubbish(store, older_than=2.5)
    assert {item.path for item in items} == {run.path for run in found[3:]} | {checkpoint}
    assert {item.why for item in items} == {"a cell older than 2.5 days", "a checkpoint older than 2.5 days"}


def test_cleaning_cells_of_another_engine(store, monkeypatch):
    store.put({"kind": "simulate", "engine": "of last year", "rule": "sgd"}, xr.Dataset({"x": 1.0}))
    store.put({"kind": "of one's own", "engine": "unknown"}, xr.Dataset({"x": 1.0}))
    store.put({"kind": "test", "of": {"kind": "training", "engine": "of last year"}}, xr.Dataset({"x": 1.0}))
    items = rubbish(store, outdated=True)
    assert len(items) == 2
    assert {item.why for item in items} == {"a cell of another engine"}
    assert {find(store, item.path.stem).kind for item in items} == {"simulate", "test"}
    monkeypatch.setattr(kinds, "todays_engine", dict.fromkeys(("simulate", "predict", "training"), "new").get)
    assert len(rubbish(store, outdated=True)) == 7


def test_what_cannot_be_deleted_is_named(store, monkeypatch):
    items = rubbish(store, older_than=0)
    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with pytest.raises(StoreError, match=r"cannot delete .*: Permission denied"):
        clean(items)


def refuse(*arguments, **options):
    raise PermissionError(13, "Permission denied")


# --- damage ---


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("sound"))
    cell = cells()[0]
    Runner(store)([cell])
    return store, cell.spec, store.path(cell.spec).read_bytes(), store.get(cell.spec)


def never_a_wrong_number(sound, changed):
    """The right result, or none and a message; and a sound file in its place afterwards."""
    store, spec, content, right = sound
    path, told = store.path(spec), []
    store.on_damage = told.append
    path.write_bytes(changed)
    found = store.get(spec)
    if found is None:
        assert len(told) == 1
        assert path.name in told[0]
        assert not path.exists()
        (aside,) = path.parent.glob("*.damaged-*")
        assert aside.read_bytes() == changed
        aside.unlink()
    else:
        assert told == []
        assert found.identical(right)
        for name in right.variables:
            assert found[name].values.tobytes() == right[name].values.tobytes()
    path.write_bytes(content)
    assert store.get(spec).identical(right)
    return found is None


@given(st.data())
def test_bits_that_flip_anywhere(sound, data):
    changed = bytearray(sound[2])
    for place in data.draw(st.lists(st.integers(0, 8 * len(changed) - 1), min_size=1, max_size=4, unique=True)):
        changed[place // 8] ^= 1 << place % 8
    never_a_wrong_number(sound, bytes(changed))


@given(st.data())
def test_stretches_that_are_overwritten(sound, data):
    changed = bytearray(sound[2])
    start = data.draw(st.integers(0, len(changed) - 1))
    length = data.draw(st.sampled_from([1, 4, 8, 512, 4096]))
    filler = data.draw(st.sampled_from([b"\0", b"\xff", b"\x7f", b"CDF\x02"]))
    stretch = (filler * length)[: min(length, len(changed) - start)]
    changed[start : start + len(stretch)] = stretch
    if bytes(changed) != sound[2]:
        never_a_wrong_number(sound, bytes(changed))


def lengths(total, header):
    """Every class of lengths: none, within the magic, the header, values, at the borders of blocks, nearly all, and too many."""
    blocks = [512 * k + d for k in range(1, total // 512) for d in (-1, 0, 1)]
    return [0, 1, 3, 4, 7, 8, header // 2, header - 1, header, header + 1, *blocks, total - 9, total - 8, total - 4, total - 1]


def test_files_cut_at_every_class_of_length(sound):
    content = sound[2]
    header = content.index(struct.pack(">d", float(sound[3].loss_mean[0])))
    cut = [length for length in lengths(len(content), header) if 0 <= length < len(content)]
    assert len(cut) > 40
    survived = [length for length in cut if not never_a_wrong_number(sound, content[:length])]
    assert all(length >= len(content) - 4 for length in survived)  # padding only: every number is there


def test_files_with_something_behind_them_or_of_another_kind(sound):
    content = sound[2]
    never_a_wrong_number(sound, content + b"\0" * 512)
    assert never_a_wrong_number(sound, content[1:])
    assert never_a_wrong_number(sound, content[: len(content) // 2] * 2)
    assert never_a_wrong_number(sound, b"\0" * len(content))
    assert never_a_wrong_number(sound, b"PK\3\4" + content[4:])


def test_a_sound_file_that_comes_between_is_put_back(sound, monkeypatch):
    """Another process mends a damaged file just before it is set aside: the sound one stays, and is returned."""
    store, spec, content, right = sound
    path, told, replace = store.path(spec), [], os.replace
    store.on_damage = told.append
    path.write_bytes(content[:-9])

    def mended_first(source, target):
        if ".damaged-" in str(target):
            path.write_bytes(content)
        replace(source, target)

    monkeypatch.setattr(os, "replace", mended_first)
    assert store.get(spec).identical(right)
    assert told == []
    assert path.read_bytes() == content
    assert list(path.parent.glob("*.damaged-*")) == []


def test_a_file_that_another_process_sets_aside_counts_as_not_there(sound, monkeypatch):
    store, spec, content, _ = sound
    path, told, replace = store.path(spec), [], os.replace
    store.on_damage = told.append
    path.write_bytes(content[:-9])

    def taken(source, target):
        path.unlink()
        replace(source, target)

    monkeypatch.setattr(os, "replace", taken)
    assert store.get(spec) is None
    monkeypatch.undo()
    path.write_bytes(content)


def test_damage_in_a_store_that_is_read_only_is_said_and_no_result(sound, monkeypatch):
    store, spec, content, _ = sound
    path, told = store.path(spec), []
    store.on_damage = told.append
    path.write_bytes(content[:-9])
    monkeypatch.setattr(os, "replace", refuse)
    assert store.get(spec) is None
    assert "cannot be set aside (Permission denied)" in told[0]
    with pytest.raises(StoreError, match="Permission denied; finished cells are kept: name a store you can write to and run again"):
        store.put(spec, xr.Dataset({"x": 1.0}))
    monkeypatch.undo()
    path.write_bytes(content)
