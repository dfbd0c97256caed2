"""``optlab train``."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from optlab.ensemble.netcdf import from_netcdf
from tests.cli.conftest import document

LINEAR = [
    "train",
    "linear",
    "--data",
    "t.csv",
    "--target",
    "y",
    "--rule",
    "sgd",
    "--schedule",
    "constant",
    "--alpha",
    "0.3",
    "--batch",
    "16",
]
LINEAR += ["--dtype", "float64", "--probe", "0", "--epochs", "30"]


@pytest.fixture
def table(elsewhere):
    rng = np.random.default_rng(0)
    rows = rng.normal(2, 3, (80, 2))
    lines = [f"{float(a)!r},{float(b)!r},{float(2 * a - b + 0.5)!r}" for a, b in rows]
    (elsewhere / "t.csv").write_text("a,b,y\n" + "\n".join(lines))
    return elsewhere


def test_a_linear_model_of_a_table(run, table):
    code, shown = document(run(*LINEAR, "--json"))
    assert code == 0
    assert shown["coefficients"] == pytest.approx({"a": 2, "b": -1, "(intercept)": 0.5}, abs=1e-6)
    assert shown["outcome"] == "finished"
    assert len(shown["train_loss"]) == 30
    assert (table / "training.png").stat().st_size > 5000
    assert not (table / "training.nc.part").exists()
    held = from_netcdf((table / "training.nc").read_bytes())
    assert held.validation_loss.values.tolist() == shown["validation_loss"]
    code, again = document(run(*LINEAR, "--json", "--threads", 1))
    assert {k: v for k, v in again.items() if k not in ("duration", "elapsed")} == {
        k: v for k, v in shown.items() if k not in ("duration", "elapsed")
    }


def test_in_words(run, table):
    code, out, err = run(*LINEAR)
    assert (code, err) == (0, "")
    assert "linear on t.csv: y: sgd, constant(alpha=0.3), batch 16" in out
    assert "(intercept)" in out
    assert "finished" in out
    assert len(out.splitlines()) < 30


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--out", "x.txt"], "must end in .nc"),
        (["--out", "nowhere/x.nc"], "no folder"),
        (["--target", "z"], "no column is named 'z'"),
        (["--epochs", "0"], "epochs"),
        (["--schedule", "constant(alpha=1)"], "no open learning rate"),
    ],
)
def test_bad_input_is_one_line(run, table, arguments, says):
    code, out, err = run(*LINEAR, *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert not list(table.glob("*.nc*"))


def test_ctrl_c_keeps_the_best_and_the_last_and_resume_goes_on(run, table):
    """In a real process: exit code 130, one line, weights so far; then the same numbers as an uninterrupted run."""
    code, expected = document(run(*LINEAR[:-1], "400", "--json", "--out", "whole.nc"))
    assert code == 0
    command = [sys.executable, "-m", "optlab", *LINEAR[:-1], "400", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ), text=True)
    deadline = time.monotonic() + 120
    while not os.path.exists("training.nc.part") and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, ""), err
    assert err.startswith("optlab: interrupted in epoch")
    assert "--resume" in err
    assert err.count("\n") == 1
    held = from_netcdf((table / "training.nc").read_bytes())
    assert held.attrs["outcome"].startswith("interrupted in epoch")
    if int(held.best_epoch) >= 1:  # a slow machine is still in the first epoch
        assert np.isfinite(held.best_parameters).all()
    assert np.isfinite(held.last_parameters).all()
    code, out, err = run(*LINEAR[:-1], "400")
    assert code == 2
    assert "holds an interrupted run: go on with it (--resume)" in err
    code, shown = document(run(*LINEAR[:-1], "400", "--json", "--resume"))
    assert code == 0
    varying = ("duration", "elapsed", "output", "figure")
    assert json.dumps({k: v for k, v in shown.items() if k not in varying}) == json.dumps(
        {k: v for k, v in expected.items() if k not in varying}
    )
