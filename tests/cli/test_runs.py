"""``optlab runs``: what it prints and writes, and one line for what cannot be."""

import json
import os
import re
import time

import pytest
import xarray as xr

from optlab.experiments.store import Store, Took
from tests.cli.conftest import document

SPECS = [
    {"kind": "simulate", "engine": "old", "rule": rule, "problem": "quadratic(dim=2)", "steps": 1000, "trajectories": 64, "seed": seed}
    for rule in ("sgd", "adam")
    for seed in (0, 1)
]


@pytest.fixture
def store(elsewhere):
    found = Store(elsewhere / "cells")
    for k, spec in enumerate(SPECS):
        found.put(spec, xr.Dataset({"loss_mean": ("step", [1.0, 0.5, 0.1 + k])}, {"step": [0, 1, 2]}))
        os.utime(found.path(spec), (time.time() - 86400 * k - 60,) * 2)
    return found


def test_list(run, store):
    code, out, err = run("runs", "list", "--store", "cells")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 6
    assert re.match(r"id +kind +rule +problem +trajectories +steps +took +size +date \(UTC\)", out)
    assert re.search(r"^[0-9a-f]{12} +simulate +adam +quadratic\(dim=2\) +64 +1,000 +- +\d+ B +20\d\d-\d\d-\d\d \d\d:\d\d$", out, re.M)
    assert re.search(r"^4 cells, [\d.]+ kB, in .*cells$", out, re.M)
    code, found = document(run("runs", "list", "--rule", "adam", "--text", '"seed":1', "--store", "cells", "--json"))
    assert code == 0
    assert [(item["rule"], item["steps"], item["trajectories"]) for item in found["runs"]] == [("adam", "1,000", 64)]
    assert found["cells"] == 1
    assert run("runs", "list", "--kind", "training", "--store", "cells")[1].startswith("0 such cells, 0 B, in ")


def test_the_store_of_the_cache_folder_is_the_default(run, elsewhere, monkeypatch):
    monkeypatch.setenv("OPTLAB_CACHE", str(elsewhere / "cache"))
    Store(elsewhere / "cache" / "store").put(SPECS[0], xr.Dataset({"x": 1.0}))
    assert document(run("runs", "list", "--json"))[1]["cells"] == 1


def test_show(run, store):
    id = store.path(SPECS[3]).stem
    code, out, err = run("runs", "show", id[:10], "--store", "cells")
    assert (code, err) == (0, "")
    assert re.search(rf"^id +{id}$", out, re.M)
    assert re.search(r"^loss_mean +step 3 +float64 +0.5 +3.1 +1 +3.1$", out, re.M)
    code, found = document(run("runs", "show", id[:10], "--store", "cells", "--json"))
    assert found["spec"] == SPECS[3]
    assert found["values"]["loss_mean"] == {
        "dims": {"step": 3}, "dtype": "float64", "finite": 3, "first": 1.0, "last": 3.1, "min": 0.5, "max": 3.1,
    }  # fmt: skip


def test_what_a_cell_took_is_listed_and_shown(run, store):
    store.note(SPECS[0], Took(83.4567, 80.25))
    assert re.search(r" +64 +1,000 +83.5 s +\d+ B", run("runs", "list", "--rule", "sgd", "--store", "cells")[1])
    id = store.path(SPECS[0]).stem
    out = run("runs", "show", id, "--store", "cells")[1]
    assert re.search(r"^took +83.5 s$", out, re.M)
    assert re.search(r"^processor time +80.2 s$", out, re.M)
    found = document(run("runs", "list", "--store", "cells", "--json"))[1]["runs"]
    told = {item["id"]: (item["seconds"], item["processor_seconds"]) for item in found}
    assert told.pop(id) == (83.457, 80.25)
    assert set(told.values()) == {(None, None)}


def test_export(run, store, elsewhere):
    ids = [store.path(spec).stem[:12] for spec in SPECS]
    assert run("runs", "export", ids[0], "--store", "cells") == (0, f"wrote {ids[0]}.nc\n", "")
    with xr.open_dataset(elsewhere / f"{ids[0]}.nc", engine="scipy") as opened:
        assert opened.equals(store.get(SPECS[0]))
        assert opened.loss_mean.attrs == {"long_name": "mean loss over runs", "units": "1"}
    assert run("runs", "export", ids[0], ids[2], ids[0], "--store", "cells", "--out", "some") == (0, "wrote 2 files to some\n", "")
    code, out, _ = run("runs", "export", "--all", "--rule", "adam", "--format", "csv", "--store", "cells", "--out", "adam.csv")
    assert (code, out) == (0, "wrote adam.csv: 6 numbers of 2 cells\n")
    lines = (elsewhere / "adam.csv").read_text().splitlines()
    assert lines[0] == "id,kind,rule,problem,schedule,trajectories,seed,step,variable,value"
    assert lines[1] == f"{ids[2]},simulate,adam,quadratic(dim=2),,64,0,0,loss_mean,1.0"
    assert document(run("runs", "export", "--all", "--store", "cells", "--json"))[1]["cells"] == 4
    assert len(list((elsewhere / "runs").iterdir())) == 4


def test_clean(run, store):
    folder = store.path(SPECS[0]).parent
    (folder / "x.damaged-12345678").write_bytes(b"12")
    arguments = ("runs", "clean", "--engine", "--older-than", "1.5", "--store", "cells")
    code, out, err = run(*arguments, "--dry-run")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("would delete 5 files, ")
    assert len(store.files()) == 4
    code, found = document(run(*arguments, "--json"))
    assert found["deleted"] is True
    assert sorted({item["why"] for item in found["files"]}) == ["a cell of another engine", "a cell older than 1.5 days", "a damaged file"]
    assert [path for path in store.folder.rglob("*") if path.is_file()] == []
    assert run("runs", "clean", "--store", "cells")[1].startswith("deleted 0 files, 0 B, in ")


def test_clean_checks_every_file(run, store):
    path = store.path(SPECS[1])
    content = bytearray(path.read_bytes())
    content[-10] ^= 4
    path.write_bytes(content)
    assert run("runs", "list", "--store", "cells")[2] == ""  # headers only
    code, out, err = run("runs", "show", path.stem[:12], "--store", "cells")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"optlab: cell {path.stem[:12]} in cells is damaged or gone: run what made it again")
    path.write_bytes(content)
    code, out, err = run("runs", "clean", "--store", "cells")
    assert (code, err.count("\n")) == (0, 1)
    assert f"{path.name} is damaged" in err
    assert out.splitlines()[-1].startswith("deleted 2 files, ")  # this one, and the one set aside before
    assert len(store.files()) == 3


BAD = {
    "no store": (["list", "--store", "nowhere"], r"there is no store 'nowhere': name its folder"),
    "unknown id": (["show", "zz9", "--store", "cells"], r"no cell 'zz9' among the 4 in cells; `optlab runs list` shows what is there"),
    "several": (["show", "", "--store", "cells"], r"no cell ''"),
    "nothing to export": (["export", "--store", "cells"], r"say which cells"),
    "ids and all": (["export", "ab", "--all", "--store", "cells"], r"say which cells"),
    "ids and filters": (["export", "ab", "--rule", "sgd", "--store", "cells"], r"leave them out where ids are given"),
    "unknown format": (["export", "--all", "--format", "cvs", "--store", "cells"], r"unknown format 'cvs'; did you mean 'csv'"),
    "no such cell": (["export", "--all", "--kind", "x", "--store", "cells"], r"no such cell in cells"),
    "negative age": (["clean", "--older-than", "-1", "--store", "cells"], r"--older-than|older.than"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(run, store, case):
    arguments, pattern = BAD[case]
    code, out, err = run("runs", *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert re.search(pattern, err)
    assert len(store.files()) == 4


def test_json_of_the_list_is_the_same_twice(run, store):
    first, second = (json.loads(run("runs", "list", "--store", "cells", "--json")[1]) for _ in range(2))
    assert {k: v for k, v in first.items() if k != "duration"} == {k: v for k, v in second.items() if k != "duration"}
