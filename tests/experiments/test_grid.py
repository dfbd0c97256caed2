"""The grid: what is run, what is chosen, what is said of it."""

import math
import signal
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import optlab as ol
from optlab.errors import InputError, Interrupted, UnknownNameError, UnsupportedError
from optlab.experiments import grid as grid_module
from optlab.experiments.grid import Entry, Setting, difference, run_grid
from optlab.experiments.grid_spec import PRESETS, GridSpec, read_grid
from optlab.experiments.store import Store
from optlab.reporting.grid import percent

TINY = {
    "title": "tiny", "data": "synthetic(training=200, test=50, size=8)", "models": ["mlp(hidden=8)"], "rules": ["momentum", "adam"],
    "rates": [0.01, 0.1], "schedules": ["constant", "cosine"], "seeds": [0], "final_seeds": [1], "epochs": 2, "final_epochs": 3,
    "batch": 20, "probe": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    grid, run = run_grid(read_grid(TINY), store=Store(folder), threads=1)
    return folder, grid, run


def test_every_setting_is_run_and_the_best_of_each_rule_again(done):
    _, grid, run = done
    assert len(grid.entries) == 8
    assert len({entry.setting for entry in grid.entries}) == 8
    assert all(entry.seeds == (0,) and entry.runs[0].sizes["epoch"] == 2 for entry in grid.entries)
    assert {entry.setting.rule for entry in grid.finals} == {"momentum", "adam"}
    assert all(entry.seeds == (0, 1) and entry.runs[0].sizes["epoch"] == 3 for entry in grid.finals)
    for final in grid.finals:
        same = [entry for entry in grid.entries if entry.setting.rule == final.setting.rule]
        assert final.setting == max(same, key=lambda entry: entry.best.mean()).setting
    assert grid.finals[0].best.mean() >= grid.finals[1].best.mean()
    assert run.computed == run.total == 8 + 4 + 2 + 6
    assert len(grid.tests) == 2


def test_a_cell_is_the_run_that_train_gives(done):
    _, grid, _ = done
    entry = grid.entries[3]
    setting = entry.setting
    alone = ol.train(
        setting.model, data=TINY["data"], rule=setting.rule, schedule=setting.schedule, alpha=setting.alpha, epochs=2, batch=20, probe=0,
        threads=2, test=False,
    )  # fmt: skip
    for name in ("train_loss", "validation_accuracy", "best_parameters"):
        np.testing.assert_array_equal(entry.runs[0][name], alone[name])


def test_the_test_part_is_seen_with_the_winners_best_weights(done):
    _, grid, _ = done
    setting = grid.winner.setting
    alone = ol.train(
        setting.model, data=TINY["data"], rule=setting.rule, schedule=setting.schedule, alpha=setting.alpha, epochs=3, batch=20, probe=0,
        rng=1,
    )  # fmt: skip
    assert grid.tests[1] == (float(alone.test_loss), float(alone.test_accuracy))


def test_a_second_time_everything_comes_from_the_store(done):
    folder, grid, _ = done
    again, run = run_grid(read_grid(TINY), store=Store(folder))
    assert (run.computed, run.read) == (0, 20)
    assert again.tests == grid.tests
    assert [entry.setting for entry in again.finals] == [entry.setting for entry in grid.finals]
    for one, two in zip(grid.entries, again.entries, strict=True):
        np.testing.assert_array_equal(one.runs[0].validation_loss, two.runs[0].validation_loss)


def test_an_interrupted_grid_goes_on_inside_the_run(done, tmp_path, monkeypatch):
    """Ctrl-C in the middle of a run of the third cell: two cells are kept, and the checkpoint of the third."""
    _, grid, _ = done
    store, seen = Store(tmp_path), []

    def interrupt(count, total, label):
        seen.append(label)
        if count == 8 and label.endswith("50%"):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted, match="the same command goes on"):
        run_grid(read_grid(TINY), store=store, progress=interrupt)
    assert len(list(tmp_path.glob("??/*.nc"))) == 8
    assert len(list(tmp_path.glob("??/*.part"))) == 1
    again, run = run_grid(read_grid(TINY), store=store)
    assert (run.computed, run.read) == (12, 8)
    assert not list(tmp_path.glob("??/*.part"))
    for one, two in zip(grid.finals, again.finals, strict=True):
        np.testing.assert_array_equal(one.best, two.best)


def entry_of(accuracies, last=None, diverged=-1, seeds=(0, 1, 2)):
    runs = []
    for value, end in zip(accuracies, last or accuracies, strict=True):
        runs.append(xr.Dataset({"validation_accuracy": ("epoch", [0.1, value, end]), "diverged_at": diverged}))
    return Entry(Setting("m", "adam", "cosine", 0.1), seeds, tuple(runs))


def test_differences_are_paired_by_seed():
    gap = difference(entry_of([0.5, 0.6, 0.7]), entry_of([0.48, 0.57, 0.66]))
    gaps = np.array([0.02, 0.03, 0.04])
    half = 4.302652729911275 * 0.01 / math.sqrt(3)  # Student's 97.5 % point with 2 degrees of freedom, from a table
    assert (gap.mean, gap.low, gap.high) == pytest.approx((gaps.mean(), 0.03 - half, 0.03 + half), rel=1e-9)
    wider = difference(entry_of([0.5, 0.6, 0.7]), entry_of([0.48, 0.57, 0.66]), comparisons=2)
    assert wider.high - wider.mean == pytest.approx(6.205346816770537 * 0.01 / math.sqrt(3), rel=1e-9)  # its 98.75 % point
    assert math.isnan(difference(entry_of([0.5], seeds=(0,)), entry_of([0.4], seeds=(0,))).low)


def test_a_diverged_run_counts_by_the_best_it_had():
    nan = float("nan")
    entry = entry_of([0.4, nan, nan], [nan, nan, nan], diverged=5)
    assert entry.best.tolist() == [0.4, 0.1, 0.1]
    assert np.isnan(entry.last).all()
    assert entry.diverged == 3
    never = Entry(entry.setting, (0,), (xr.Dataset({"validation_accuracy": ("epoch", [nan]), "diverged_at": 0}),))
    assert never.best.tolist() == [0.0]
    assert percent(entry.last) == "–"


def test_presets_ask_the_articles_question():
    for name in ("quick", "full"):
        spec = read_grid(preset=name)
        assert spec.rules == ["momentum", "adam", "adamw"]
        assert spec.rates == [0.001, 0.01, 0.1]
        assert "warmup_cosine" in spec.schedules
    full = PRESETS["full"]
    assert full.models == ["resnet20"]
    assert full.training is None
    assert full.epochs >= 30
    assert set(full.schedules) == {"constant", "cosine", "warmup_cosine", "one_cycle"}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"epoch": 3}, "unknown key 'epoch'; did you mean 'epochs'?"),
        ({"epochs": 0}, "epochs = 0"),
        ({"rates": []}, "rates"),
        ({"rates": [-1]}, "greater than 0"),
        (TINY | {"rules": ["adm"]}, "did you mean 'adam'"),
        (TINY | {"schedules": ["cosin"]}, "did you mean 'cosine'"),
        (TINY | {"models": ["resnet2"]}, "unknown model 'resnet2'"),
        (TINY | {"batch": 1000}, "batch = 1000 is more than the 180 training images"),
        (TINY | {"data": "cifr10"}, "did you mean 'cifar10'"),
        (TINY | {"schedules": ["cosine(peak=0.1)"]}, "no open learning rate"),
    ],
)
def test_a_bad_spec_is_one_line_before_any_work(spec, says, monkeypatch):
    monkeypatch.setattr(grid_module.Runner, "__call__", None)
    with pytest.raises((InputError, UnknownNameError)) as caught:
        run_grid(read_grid(spec))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_and_the_spec_itself():
    with pytest.raises(UnknownNameError, match="did you mean 'quick'"):
        read_grid(preset="quik")
    spec = GridSpec(epochs=2)
    assert read_grid(spec) is spec


def test_the_report(tmp_path, run_tiny):
    report = run_tiny
    text = report.path.read_text()
    assert report.grid.winner.setting.label() in text
    assert "Every setting" in text
    assert "synthetic textures (8 x 8)" in text
    assert text.count("<svg") == 2
    assert {"settings.png", "finals.png"} == {p.name for p in (report.path.parent / "figures").iterdir()}
    assert report.numbers["test_accuracy"] == [value for _, value in report.grid.tests]
    assert any("interval" in finding for finding in report.findings)
    assert any("linear softmax" in finding for finding in report.findings)
    assert any("looked at once" in finding for finding in report.findings)


@pytest.fixture
def run_tiny(done, tmp_path):
    folder, _, _ = done
    return ol.grid(TINY, out=tmp_path / "page", store=folder)


def test_the_example_spec_reads():
    spec = read_grid(Path(__file__).parents[2] / "examples" / "grid.toml")
    assert len(spec.models) == 3
    assert spec.last_epochs == 10
    with pytest.raises(InputError, match="no spec file"):
        read_grid("nowhere.toml")


def test_a_grid_may_name_its_settings(tmp_path):
    chosen = [{"rule": "adam", "schedule": "constant", "alpha": 0.01}, {"rule": "momentum", "schedule": "cosine", "alpha": 0.1}]
    raw = {key: value for key, value in TINY.items() if key not in ("rules", "rates", "schedules")}
    report = ol.grid(raw | {"settings": chosen, "final_epochs": 2, "final_seeds": []}, out=tmp_path / "page", store=tmp_path / "store")
    assert [entry.setting for entry in report.grid.entries] == [Setting("mlp(hidden=8)", *point.values()) for point in chosen]
    assert {entry.setting.rule for entry in report.grid.finals} == {"adam", "momentum"}
    with pytest.raises(InputError, match="leave out rates"):
        read_grid(raw | {"settings": chosen, "rates": [0.1]})
    with pytest.raises(InputError, match="unknown key 'rate'"):
        read_grid(raw | {"settings": [{"rule": "adam", "schedule": "constant", "alpha": 0.01, "rate": 1}]})


def test_bfloat16_needs_a_device_and_convolutions_before_anything_is_trained(monkeypatch):
    spec = read_grid(TINY | {"precision": "bf16"})
    with pytest.raises(UnsupportedError, match="backend='cuda'"):
        run_grid(spec, threads=1)
    monkeypatch.setattr(grid_module, "chosen_backend", lambda backend: backend)
    with pytest.raises(UnsupportedError, match="model mlp has none"):
        run_grid(spec, threads=1, backend="cuda")
