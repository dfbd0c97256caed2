"""Claim 22 is read from a page of ``optlab grid``: made-up grids of known outcome."""

import numpy as np
import pytest
import xarray as xr

from optlab.claims.record import Outcome, Verdict
from optlab.claims.run import run_claims
from optlab.ensemble.netcdf import to_netcdf
from optlab.errors import InputError


def grid(path, levels, seeds=6, spread=0.002):
    """Finals whose accuracies are a level per rule and a small scatter per seed."""
    rules = [rule for rule in levels for _ in range(seeds)]
    noise = np.random.default_rng(0).normal(0, spread, len(rules))
    accuracy = np.array([[level - 0.1, level] for level in levels.values() for _ in range(seeds)]) + noise[:, None]
    data = xr.Dataset(
        {
            "final_validation_accuracy": (("final_run", "final_epoch"), accuracy),
            "final_rule": ("final_run", rules),
            "final_schedule": ("final_run", ["cosine"] * len(rules)),
            "final_alpha": ("final_run", [0.1] * len(rules)),
            "final_seed": ("final_run", list(range(seeds)) * len(levels)),
        },
        attrs={"title": "made up", "preset": "full", "data": "nothing"},
    )
    path.write_bytes(to_netcdf(data))
    return path


def answer(path, tmp_path):
    (found,) = run_claims([22], grid=path, store=tmp_path / "store")
    return found


@pytest.mark.parametrize(
    ("levels", "verdict"),
    [
        ({"momentum": 0.92, "adam": 0.88, "adamw": 0.90}, Verdict.HOLDS),
        ({"momentum": 0.85, "adam": 0.90, "adamw": 0.88}, Verdict.FAILS),
        ({"momentum": 0.92, "adam": 0.90, "adamw": 0.88}, Verdict.CONDITIONS),
        ({"momentum": 0.90, "adam": 0.90, "adamw": 0.90}, Verdict.UNDECIDED),
    ],
)
def test_the_verdict_is_that_of_the_runs(levels, verdict, tmp_path):
    found = answer(grid(tmp_path / "runs.nc", levels), tmp_path)
    assert found.verdict is verdict
    assert f"{max(levels, key=levels.get)} leads" in found.findings.remarks[0] or verdict is Verdict.UNDECIDED
    assert "made up (preset full)" in found.findings.remarks[1]


def test_differences_are_paired_by_seed(tmp_path):
    """Paired differences are exact where rules differ by a constant."""
    path = grid(tmp_path / "runs.nc", {"momentum": 0.9, "adam": 0.88, "adamw": 0.89}, spread=0.0)
    numbers = answer(path, tmp_path).findings.numbers
    assert numbers["momentum_adam"].value == pytest.approx(2.0)
    assert numbers["momentum_adam"].high - numbers["momentum_adam"].low < 1e-9


def test_one_seed_leaves_everything_open(tmp_path):
    found = answer(grid(tmp_path / "runs.nc", {"momentum": 0.9, "adam": 0.8, "adamw": 0.85}, seeds=1), tmp_path)
    assert found.outcomes == [Outcome.OPEN] * 3
    assert found.verdict is Verdict.UNDECIDED


def test_without_a_grid_it_is_not_tested(tmp_path):
    found = answer(tmp_path / "nothing.nc", tmp_path)
    assert found.verdict is Verdict.UNTESTED
    assert "run optlab grid" in found.key_number[0]
    lacking = answer(grid(tmp_path / "runs.nc", {"momentum": 0.9, "adam": 0.8}), tmp_path)
    assert lacking.verdict is Verdict.UNTESTED
    assert lacking.findings.remarks[0].endswith("holds no runs of adamw.")


def test_another_file_is_said(tmp_path):
    (tmp_path / "x.nc").write_text("nothing of the kind")
    with pytest.raises(InputError, match=r"x.nc is no result of optlab grid .*--grid"):
        answer(tmp_path / "x.nc", tmp_path)
