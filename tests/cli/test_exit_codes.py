"""Exit codes, 0, 1, 2 and 130; Ctrl-C at several moments of every long command."""

import os
import signal
import subprocess
import sys
import time

import pytest

from optlab.__main__ import main
from optlab.errors import Interrupted

GRID = """data = "synthetic(size=8, training=200, test=50)"
models = ["logistic"]
rules = ["sgd"]
rates = [0.1]
schedules = ["constant"]
epochs = 1
batch = 50
probe = 0
augment = false
baseline = false
final_seeds = [1]
"""

# --- exit codes ---


def passed(*_, **__):
    from optlab.verify.rules import Check

    return [Check("a check", True, "")]


def failed(*_, **__):
    from optlab.verify.rules import Check

    return [Check("a check", False, "")]


def stop(*_, **__):
    raise KeyboardInterrupt


def stopped(*_, **__):
    raise Interrupted("interrupted; nothing is lost")


def full(*_, **__):
    raise OSError(28, "No space left on device")


CODES = {
    "version": (["--version"], None, 0),
    "help": (["simulate", "--help"], None, 0),
    "done": (["verify", "sgd"], ("optlab.verify.check_rule", passed), 0),
    "a check failed": (["verify", "sgd"], ("optlab.verify.check_rule", failed), 1),
    "a check failed, as JSON": (["verify", "sgd", "--json"], ("optlab.verify.check_rule", failed), 1),
    "something is broken": (["doctor"], ("optlab.diagnosis._package", lambda name: _broken(name)), 1),
    "no command": ([], None, 2),
    "unknown name": (["verify", "sdg"], None, 2),
    "both": (["verify", "sgd", "-q", "-v"], None, 2),
    "the disk is full": (["verify", "sgd"], ("optlab.verify.check_rule", full), 2),
    "no memory": (["verify", "sgd"], ("optlab.verify.check_rule", lambda *_, **__: _raise(MemoryError)), 2),
    "Ctrl-C": (["verify", "sgd"], ("optlab.verify.check_rule", stop), 130),
    "Ctrl-C that says what is kept": (["verify", "sgd"], ("optlab.verify.check_rule", stopped), 130),
}


def _raise(kind):
    raise kind


def _broken(name):
    from optlab.diagnosis import Item

    return Item(name, "broken", "not installed")


@pytest.mark.parametrize("case", CODES)
def test_exit_codes(case, run, monkeypatch):
    words, patch, code = CODES[case]
    if patch:
        monkeypatch.setattr(*patch)
    found, out, err = run(*words)
    assert found == code, err
    assert err.count("\n") == (0 if code in (0, 1) or not words else 1)
    assert "Traceback" not in err
    if code in (2, 130) and words:
        assert out == ""


# --- Ctrl-C ---

QUADRATIC = "quadratic(condition_number=10, dim=3, noise=0.5)"
SIMULATE = [
    "simulate",
    "--alpha",
    "0.1",
    "--steps",
    "5",
    "--trajectories",
    "64",
    "--problem",
    "quadratic(condition_number=10, dim=3, noise=0.5)",
]
TRAIN = ["train", "linear", "--data", "t.csv", "--target", "y", "--schedule", "constant", "--alpha", "0.1", "--epochs", "2"]
MOMENTS = {
    "simulate, reading": (SIMULATE, "optlab.ensemble.simulate.check_memory"),
    "simulate, running": (SIMULATE, "optlab.ensemble.cell.Cell.run"),
    "simulate, writing": (SIMULATE, "optlab.files.replacing"),
    "train, reading": (TRAIN, "optlab.training.task.read_table"),
    "train, compiling": (TRAIN, "optlab.training.train.make_learner"),
    "grid, reading": (["grid", "grid.toml", "--store", "kept"], "optlab.data.get"),
    "grid, running": (["grid", "grid.toml", "--store", "kept"], "optlab.experiments.sweep.Runner.__call__"),
    "claims, beginning": (["claims", "--only", "20", "--store", "kept"], "optlab.claims.run.connected"),
    "claims, running": (["claims", "--only", "20", "--store", "kept"], "optlab.experiments.sweep.Runner.__call__"),
    "ravine, opening its store": (["ravine", "--store", "kept"], "optlab.experiments.store.Store.__init__"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_at_any_moment_is_one_line_and_130(moment, run, elsewhere, monkeypatch):
    words, place = MOMENTS[moment]
    (elsewhere / "grid.toml").write_text(GRID)
    (elsewhere / "t.csv").write_text("x,y\n" + "".join(f"{k % 7},{k % 5}\n" for k in range(40)))
    monkeypatch.setattr(place, stop)
    code, out, err = run(*words)
    assert (code, out) == (130, ""), err
    assert err.startswith("optlab: interrupted")
    assert err.count("\n") == 1
    assert ("goes on" in err) == (words[0] in ("grid", "claims", "ravine"))
    left = [path.name for path in elsewhere.rglob("*") if path.is_file() and path.suffix not in (".toml", ".csv")]
    assert all(name.endswith(".nc.part") for name in left), left  # the checkpoint of what is done


def test_an_interrupt_that_llvm_drops_is_an_interrupt(run, monkeypatch, capsys):
    """While LLVM calls back, Python can only print a KeyboardInterrupt; what fails next is no defect."""
    import ctypes

    def compile_interrupted(*_, **__):
        ctypes.CFUNCTYPE(None)(stop)()  # dropped there, as in llvmlite's callback
        raise RuntimeError("no compiled object yet")

    monkeypatch.setattr("optlab.verify.check_rule", compile_interrupted)
    assert run("verify", "sgd") == (130, "", "optlab: interrupted\n")
    monkeypatch.setattr("optlab.verify.check_rule", lambda *_, **__: _raise(RuntimeError))
    with pytest.raises(RuntimeError):  # a defect keeps its traceback
        main(["verify", "sgd"])


def test_what_a_half_made_object_says_at_its_end_is_shown_unless_interrupted(run, monkeypatch):
    class Half:
        def __del__(self):
            self.never_made.close()

    def halves(*_, **__):
        Half()
        raise KeyboardInterrupt

    monkeypatch.setattr("optlab.verify.check_rule", halves)
    assert run("verify", "sgd") == (130, "", "optlab: interrupted\n")
    monkeypatch.setattr("optlab.verify.check_rule", lambda *_, **__: Half() and [])
    code, _, err = run("verify", "sgd")
    assert code == 0
    assert err.startswith("Exception ignored in: ")
    assert err.rstrip().endswith("AttributeError: 'Half' object has no attribute 'never_made'")


LONG = {
    "simulate": ["simulate", "--alpha", "0.1", "--steps", "100000", "--trajectories", "1000000", "--problem", QUADRATIC],
    "train": ["train", "mlp", "--data", "synthetic(size=8)", "--alpha", "0.01", "--epochs", "100000"],
    "grid": ["grid", "grid.toml", "--store", "kept"],
    "claims": ["claims", "--only", "11", "--preset", "full", "--store", "kept"],
}
START = "import sys; from optlab.__main__ import main; print('here', file=sys.stderr, flush=True); sys.exit(main(sys.argv[1:]))"


@pytest.mark.slow
@pytest.mark.parametrize("command", LONG)
@pytest.mark.parametrize("seconds", [0.0, 1.0, 6.0])
def test_ctrl_c_in_a_real_process(command, seconds, elsewhere):
    """While modules are imported, while kernels are compiled (the cache is empty), while it runs."""
    (elsewhere / "grid.toml").write_text(GRID.replace("epochs = 1", "epochs = 100000"))
    process = subprocess.Popen(
        [sys.executable, "-c", START, *LONG[command]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OPTLAB_CACHE": str(elsewhere / "cache")},
    )  # fmt: skip
    assert process.stderr.readline() == "here\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (130, ""), err
    assert err.startswith("optlab: interrupted"), err
    assert err.count("\n") == 1, err
