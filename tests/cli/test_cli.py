"""Every command: what it prints, its exit code, and one line for every bad input."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import xarray as xr

import optlab as ol
from tests.cli.conftest import document

ROOT = Path(ol.__file__).parents[1]
LION = f"{ROOT / 'examples' / 'lion.py'}:LION"
COMMANDS = ["report", "derive", "theory", "simulate", "advise", "train", "grid", "data", "runs", "verify", "rosetta", "doctor"]
QUADRATIC = "quadratic(condition_number=10, dim=3, noise=0.5)"
TINY = """
rules = ["sgd"]
[quadratics]
kappas = [10]
dim = 3
steps = 40
batch = 4
trajectories = 64
[regimes]
condition_number = 2
dim = 2
steps = 100
trajectories = 64
replicates = 3
[line_fit]
runs = 100
steps = 20
table_rows = 20
[ravine]
steps = 10
"""


def shell(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "optlab", *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)


# --- help ---


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_and_shows_an_example(run, command):
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: optlab {command}" in out
    if command != "doctor":
        assert f"Example: optlab {command}" in out
    assert run(command, "-h")[1] == out


def test_the_list_of_commands(run):
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    for command in COMMANDS:
        assert re.search(rf"^  {command}\s+\w", out, re.M), command
    code, out, _ = run("--version")
    assert (code, out.strip()) == (0, f"optlab {ol.__version__}")


@pytest.mark.parametrize("group", [[], ["data"], ["runs"]], ids=" ".join)
def test_no_command_shows_the_help_and_fails(run, group):
    code, out, err = run(*group)
    assert (code, err) == (2, "")
    assert out == run(*group, "--help")[1]
    assert f"Usage: {' '.join(['optlab', *group])}" in out


@pytest.mark.parametrize("arguments", [["--help"], ["simulate", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    script = (
        "import sys\nfrom optlab.__main__ import main\n"
        f"code = main({arguments!r})\n"
        "print(code, sorted({'sympy', 'numba', 'numpy', 'xarray', 'scipy', 'matplotlib'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stderr == "0 []\n"


#: What may be imported: (before counting, then, modules at most). Counted on Python 3.11 to 3.13: 21 to 38 beyond an interpreter without
#: site-packages, of which 2 are optlab's, and 43 or 44 beyond typer (36 beyond typer 0.16), of which 25 are.
IMPORTED = [("pass", "import optlab", 45), ("import typer.main", "from optlab.__main__ import main; main(['--help'])", 55)]


@pytest.mark.parametrize(("before", "then", "most"), IMPORTED)
def test_few_modules_are_imported(before, then, most):
    """What a start costs, counted rather than timed (``python -m benchmarks.imports`` times it)."""
    counted = f"before = set(sys.modules)\n{then}\nprint(*set(sys.modules) - before, file=sys.stderr)"
    script = f"import sys\nsys.path[:] = {sys.path!r}\n{before}\n{counted}"
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    imported = done.stderr.split()
    assert "optlab" in imported
    assert len(imported) <= most, sorted(imported)


def test_help_names_every_command_in_a_whole_line(monkeypatch, run):
    from optlab.cli import app
    from optlab.cli.sections import SECTIONS

    names = [name for lines in SECTIONS.values() for name in lines]
    assert sorted(names) == sorted(typer.main.get_command(app).commands)
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run("--help")
    assert code == 0
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "..." not in out.partition("COMMAND [ARGS]...")[2]
    for lines in SECTIONS.values():
        for name, about in lines.items():
            assert re.search(rf"^  {name} +{re.escape(about)}$", out, re.M), name


# --- simulate ---


def test_simulate_json_is_one_document_and_writes_its_files(run, elsewhere):
    arguments = ("--problem", QUADRATIC, "--alpha", 0.1, "--steps", 20, "--trajectories", 200, "--seed", 3, "--record", 5)
    code, found = document(run("simulate", *arguments, "--json", "--out", "run.nc"))
    assert code == 0
    assert found["agrees"] is True  # false-alarm probability 1e-9, seed fixed
    assert found["step"] == [0, 5, 10, 15, 20]
    twin = ol.simulate("sgd", QUADRATIC, schedule=0.1, steps=20, trajectories=200, rng=3, record=5)
    assert found["loss_mean"] == twin.loss_mean.values.tolist()
    exact = ol.predict("sgd", QUADRATIC, schedule=0.1, steps=20, record=5)
    assert found["loss_exact"] == exact.loss_mean.values.tolist()
    assert set(found["quantiles"]) == {"0.05", "0.25", "0.5", "0.75", "0.95"}
    with xr.open_dataset(elsewhere / "run.nc", engine="scipy") as opened:
        assert opened.loss_mean.values.tolist() == found["loss_mean"]
        assert opened.attrs["seed"] == 3
    assert (elsewhere / "run.png").read_bytes().startswith(b"\x89PNG")
    again = document(run("simulate", *arguments, "--json", "--out", "run.nc", "--threads", 1))[1]
    varying = {"duration", "created", "elapsed", "store"}
    assert {k: v for k, v in again.items() if k not in varying} == {k: v for k, v in found.items() if k not in varying}


def test_simulate_under_heavy_tails_shows_the_exact_mean_and_no_verdict(run):
    problem = "quadratic(spectrum=[1.0], noise=0.1, noise_law=student_t(dof=3))"
    arguments = ("--problem", problem, "--alpha", 0.1, "--steps", 5, "--trajectories", 64, "--record", 5)
    code, found = document(run("simulate", *arguments, "--json"))
    assert code == 0
    assert found["loss_exact"] == ol.predict("sgd", problem, schedule=0.1, steps=5, record=5).loss_mean.values.tolist()
    assert not {"agrees", "largest_z", "z_limit"} & set(found)


def test_simulate_in_words(run):
    code, out, err = run(
        "simulate",
        "--rule",
        "adam",
        "--schedule",
        "cosine(peak=0.1, steps=20)",
        "--steps",
        20,
        "--trajectories",
        100,
        "--problem",
        QUADRATIC,
    )
    assert (code, err) == (0, "")
    assert "adam on quadratic" in out
    assert "wrote simulation.nc" in out
    assert "theory" not in out


def test_numbers_that_json_lacks_become_null(run):
    code, found = document(
        run("simulate", "--alpha", 30, "--steps", 400, "--trajectories", 64, "--problem", QUADRATIC, "--record", 3, "--json")
    )
    assert found["loss_mean"][-1] is None
    assert found["diverged"][-1] == 64
    assert found["loss_exact"][-1] is None  # both overflow: no disagreement
    assert found["agrees"] is True
    assert code == 0


@pytest.mark.parametrize("seed", ["2147483647", "2147483648", "18446744073709551615"])
def test_any_seed_is_a_seed(run, seed):
    code, found = document(
        run("simulate", "--alpha", 0.1, "--steps", 5, "--trajectories", 64, "--problem", QUADRATIC, "--seed", seed, "--json")
    )
    assert code == 0
    assert found["seed"] == int(seed)


# --- verify, doctor, advise, report ---


def test_verify(run):
    code, found = document(run("verify", "sgd", "momentum", "--json"))
    assert code == 0
    assert found["failed"] == 0
    assert set(found["rules"]) == {"sgd", "momentum"}
    assert [item["check"] for item in found["rules"]["sgd"]] == ["generated code", "float32", "threads", "theory", "descends", "at rest"]
    code, out, err = run("verify", "sgd")
    assert (code, err) == (0, "")
    assert "6 checks, 0 failed" in out


def test_verify_fails_with_exit_code_1(run, monkeypatch):
    import optlab.verify.rules as checks

    original = checks.module_source
    monkeypatch.setattr(checks, "module_source", lambda rule, dtype: original(rule, dtype).replace("theta + g * s0", "theta - g * s0"))
    code, found = document(run("verify", "sgd", "--json"))
    assert code == 1
    assert found["failed"] == 1
    code, out, _ = run("verify", "sgd")
    assert code == 1
    assert "FAILED" in out


def test_a_disagreement_is_exit_code_1(run, monkeypatch):
    import optlab

    monkeypatch.setattr(optlab, "predict", _wrong, raising=False)
    code, out, _ = run("simulate", "--alpha", 0.1, "--steps", 20, "--trajectories", 2000, "--problem", QUADRATIC)
    assert code == 1
    assert "DISAGREES with theory" in out


def _wrong(*arguments, **options):
    from optlab.ensemble.predict import predict

    return predict(*arguments, **(options | {"schedule": 0.2}))


def test_doctor(run):
    code, found = document(run("doctor", "--json"))
    assert code == 0
    assert found["broken"] is False
    assert found["items"]["Numba"]["state"] == "ok"
    code, out, err = run("doctor")
    assert (code, err) == (0, "")
    assert "Philox4x32-10 gives its known answer" in out


CSV = "x,y,z\n" + "\n".join(f"{k % 7},{(k * 5) % 11},{k % 7 * 2 + (k * 3) % 5}" for k in range(30)) + "\n"


def test_advise(run, elsewhere):
    (elsewhere / "data.csv").write_text(CSV)
    arguments = ("advise", "data.csv", "--target", "z", "--rule", "sgd", "--budget", 50)
    code, found = document(run(*arguments, "--json"))
    assert code == 0
    assert found["n"] == 30
    assert found["condition_number"] >= 1
    assert (elsewhere / "advice.png").is_file()
    with xr.open_dataset(elsewhere / "advice.nc", engine="scipy") as opened:
        assert opened.sizes
    code, out, err = run(*arguments, "--standardize")
    assert (code, err) == (0, "")
    assert "data.csv: 30 rows, 2 features and an intercept (standardized), target z" in out


def test_report(run, elsewhere):
    (elsewhere / "tiny.toml").write_text(TINY)
    arguments = ("report", "tiny.toml", "--out", "page", "--store", "cells")
    code, first = document(run(*arguments, "--json"))
    assert code == 0
    assert (elsewhere / "page" / "index.html").is_file()
    code, second = document(run(*arguments, "--json"))
    varying = {"duration", "created", "elapsed", "store"}
    assert {k: v for k, v in first.items() if k not in varying} == {k: v for k, v in second.items() if k not in varying}
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert re.search(r"page/index.html +\(\d+ s, 0 cells computed, \d+ read from the store\)", out)
    assert "<" not in out


def test_an_interrupt_is_exit_code_130(run, elsewhere, monkeypatch):
    from optlab.experiments.sweep import Runner

    (elsewhere / "tiny.toml").write_text(TINY)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(Runner, "__call__", interrupt)
    code, out, err = run("report", "tiny.toml", "--out", "page", "--store", "cells")
    assert (code, out) == (130, "")
    assert err.count("\n") == 1
    assert "interrupted" in err


# --- a rule of one's own ---


def test_lion_passes_through_every_command(run, elsewhere):
    assert run("derive", LION)[0] == 0
    assert run("derive", LION, "--latex")[0] == 0
    assert run("derive", LION, "--source")[0] == 0
    code, found = document(
        run("simulate", "--rule", LION, "--alpha", 0.003, "--steps", 20, "--trajectories", 64, "--problem", QUADRATIC, "--json")
    )
    assert code == 0
    assert found["rule"] == "lion"
    assert "agrees" not in found
    code, found = document(run("verify", LION, "--json"))
    assert code == 0
    assert [item["passed"] for item in found["rules"]["lion"]] == [True, True, True, None, True, None]


# --- bad input: exit code 2, one line on standard error, nothing on standard output ---

BAD = {
    "unknown command": (["simulat"], "No such command|no such command"),
    "unknown option": (["simulate", "--alhpa", "0.1"], "--alhpa"),
    "option without value": (["simulate", "--alpha"], "--alpha"),
    "no rule to derive": (["derive"], "rule|RULE"),
    "unknown rule": (["derive", "adem"], "unknown rule 'adem'; did you mean 'adam'"),
    "unknown hyper-parameter": (["derive", "adam(beta=0.5)"], "unknown option of adam 'beta'"),
    "hyper-parameter out of range": (["derive", "momentum(beta=1.5)"], r"momentum: beta = 1.5 is out of range: it must lie in \[0, 1\)"),
    "unknown variant": (["derive", "adam(eps_placement=beside)"], "unknown eps_placement of adam 'beside'"),
    "unclosed call": (["derive", "adam(beta1=0.5"], "cannot read"),
    "positional option": (["derive", "momentum(0.5)"], "options go by name"),
    "code in a call": (["derive", "momentum(beta=__import__('os'))"], "cannot read"),
    "missing rule file": (["derive", "gone.py:MINE"], "there is no file 'gone.py'"),
    "file that fails": (["derive", "broken.py:MINE"], "broken.py.*the file fails with ZeroDivisionError"),
    "wrong name in a file": (["derive", "good.py:MIEN"], "did you mean 'MINE'"),
    "not a rule": (["derive", "good.py:NUMBER"], "is a int, not a Rule"),
    "no such norm or rule": (["derive", "layernorm"], "unknown rule 'layernorm'"),
    "a bound of a rule that has none": (["derive", "--bounds", "adam"], "unknown rule with a bound 'adam'"),
    "slack without bounds": (["derive", "sgd", "--slack"], "--slack measures bounds"),
    "a spectrum for an adaptive rule": (["derive", "adam", "--condition-number", "9"], r"adam is not linear"),
    "dtype without source": (["derive", "sgd", "--dtype", "float32"], "--dtype is of the generated source"),
    "bounds at a curvature": (["derive", "--bounds", "momentum", "--curvature", "2"], "mean nothing with it"),
    "a curvature and a range": (["derive", "sgd", "--curvature", "2", "--condition-number", "9"], "give one or the other"),
    "options of a norm": (["derive", "layer_norm(eps=1)"], "takes no options"),
    "a spectrum for a norm": (["derive", "layer_norm", "--mu", "1", "--L", "2"], "layer_norm is no rule"),
    "source of a schedule": (["derive", "cosine", "--source"], "cosine is no rule"),
    "tuning below one": (["derive", "sgd", "--condition-number", "-3"], "condition_number = -3 must be at least 1"),
    "half a spectrum": (["derive", "sgd", "--mu", "1"], "give both mu and L"),
    "reversed spectrum": (["derive", "sgd", "--mu", "2", "--L", "1"], "needs 0 < mu <= L"),
    "curvature of no number": (["derive", "sgd", "--curvature", "steep"], "curvature = 'steep' is not a finite number"),
    "two formats": (["derive", "sgd", "--latex", "--json"], "exclude each other"),
    "unknown dtype of source": (["derive", "sgd", "--source", "--dtype", "float16"], "float16"),
    "no learning rate": (["simulate"], "give the learning rate once"),
    "two learning rates": (["simulate", "--alpha", "0.1", "--schedule", "constant(alpha=0.1)"], "give the learning rate once"),
    "negative learning rate": (["simulate", "--alpha", "-1"], "alpha = -1.0 is out of range"),
    "nan learning rate": (["simulate", "--alpha", "nan"], "alpha = nan"),
    "infinite learning rate": (["simulate", "--alpha", "inf"], "alpha = inf"),
    "text for a number": (["simulate", "--alpha", "much"], "--alpha.*valid number|much"),
    "unknown schedule": (["simulate", "--schedule", "cosin(peak=1, steps=3)"], "unknown schedule 'cosin'; did you mean 'cosine'"),
    "schedule without values": (["simulate", "--schedule", "cosine"], "cosine needs a value for peak"),
    "unknown problem": (["simulate", "--alpha", "0.1", "--problem", "quadratc()"], "unknown problem 'quadratc'; did you mean 'quadratic'"),
    "unknown option of a problem": (["simulate", "--alpha", "0.1", "--problem", "quadratic(kappa=3)"], "kappa"),
    "condition number below one": (["simulate", "--alpha", "1", "--problem", "quadratic(condition_number=0.5)"], "condition_number = 0.5"),
    "dimension zero": (["simulate", "--alpha", "0.1", "--problem", "quadratic(condition_number=2, dim=0)"], "dim = 0"),
    "text for a dimension": (["simulate", "--alpha", "0.1", "--problem", "quadratic(condition_number=2, dim='x')"], "dim = 'x'"),
    "formula that is none": (["simulate", "--alpha", "0.1", "--problem", "symbolic('x +* y')"], r"x \+\* y"),
    "formula without coordinates": (["simulate", "--alpha", "0.1", "--problem", "symbolic('3')"], "no objective"),
    "no trajectories": (["simulate", "--alpha", "0.1", "--trajectories", "0"], "trajectories = 0"),
    "negative steps": (["simulate", "--alpha", "0.1", "--steps", "-1"], "steps = -1"),
    "batch zero": (["simulate", "--alpha", "0.1", "--batch", "0"], "batch = 0"),
    "half a batch": (["simulate", "--alpha", "0.1", "--batch", "1.5"], "--batch.*integer|1.5"),
    "negative seed": (["simulate", "--alpha", "0.1", "--seed", "-1"], "-1 is no seed"),
    "no threads": (["simulate", "--alpha", "0.1", "--threads", "0"], "threads = 0"),
    "unknown dtype": (["simulate", "--alpha", "0.1", "--dtype", "float16"], "unknown dtype 'float16'"),
    "unknown record": (["simulate", "--alpha", "0.1", "--record", "lin"], "unknown record 'lin'; did you mean 'linear'"),
    "record of nothing": (["simulate", "--alpha", "0.1", "--record", "0"], "record = 0"),
    "odd digits": (["simulate", "--alpha", "0.1", "--record", "²"], "²"),
    "wrong ending": (["simulate", "--alpha", "0.1", "--out", "run.csv"], "must end in .nc"),
    "no such folder": (["simulate", "--alpha", "0.1", "--out", "none/run.nc"], "there is no folder 'none'"),
    "output is a folder": (["simulate", "--alpha", "0.1", "--steps", "2", "--trajectories", "64", "--out", "folder.nc"], "folder.nc"),
    "missing spec": (["report", "gone.toml"], "there is no spec file 'gone.toml'"),
    "spec that is no TOML": (["report", "data.csv"], "data.csv: not valid TOML"),
    "unknown key in the spec": (["report", "bad.toml"], r"bad.toml: unknown key 'stepss' in \[quadratics\]; did you mean 'steps'"),
    "unknown rule in the spec": (["report", "rule.toml"], "unknown rule 'adem'; did you mean 'adam'"),
    "a rule twice in the spec": (["report", "twice.toml"], "the same rule is named twice"),
    "missing table in the spec": (["report", "table.toml"], "gone.csv"),
    "report into a file": (["report", "tiny.toml", "--out", "data.csv"], "cannot write to data.csv|data.csv"),
    "store in a file": (["report", "tiny.toml", "--out", "page", "--store", "data.csv"], "cannot make the store data.csv"),
    "missing table": (["advise", "gone.csv", "--target", "z"], "gone.csv"),
    "missing target": (["advise", "data.csv"], "--target"),
    "unknown column": (["advise", "data.csv", "--target", "zz"], "zz"),
    "table is a folder": (["advise", "folder.nc", "--target", "z"], "folder.nc"),
    "figure of an unknown kind": (["advise", "data.csv", "--target", "z", "--figure", "a.xyz"], "must end in .png"),
    "figure nowhere": (["advise", "data.csv", "--target", "z", "--figure", "none/a.png"], "there is no folder 'none'"),
    "budget of nothing": (["advise", "data.csv", "--target", "z", "--budget", "0"], "budget"),
    "verify an unknown rule": (["verify", "adem"], "unknown rule 'adem'"),
    "superfluous argument": (["doctor", "please"], "please"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(run, elsewhere, case):
    (elsewhere / "data.csv").write_text(CSV)
    (elsewhere / "broken.py").write_text("1 / 0\n")
    (elsewhere / "good.py").write_text(
        "from optlab.rules import Rule, alpha, g, theta\nNUMBER = 3\nMINE = Rule(name='mine', equations=((theta, theta - alpha * g),))\n"
    )
    (elsewhere / "bad.toml").write_text("[quadratics]\nstepss = 3\n")
    (elsewhere / "rule.toml").write_text("rules = ['adem']\n")
    (elsewhere / "twice.toml").write_text("rules = ['sgd', 'sgd']\n")
    (elsewhere / "table.toml").write_text("rules = ['sgd']\n[table]\npath = 'gone.csv'\ntarget = 'y'\n")
    (elsewhere / "tiny.toml").write_text(TINY)
    (elsewhere / "folder.nc").mkdir()
    before = sorted(elsewhere.rglob("*"))
    arguments, message = BAD[case]
    code, out, err = run(*arguments)
    assert code == 2, (out, err)
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    assert err.startswith("optlab")
    assert re.search(message, err), err
    assert "Traceback" not in err
    left = [path for path in sorted(elsewhere.rglob("*")) if path not in before]
    assert [path for path in left if path.is_file() and path.suffix != ".pyc"] == []


def test_bad_input_in_a_real_process(elsewhere):
    done = shell("derive", "adem")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "did you mean 'adam'" in done.stderr


def test_json_in_a_real_process_is_all_of_standard_output():
    done = shell("derive", "momentum", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["rule"] == "momentum"


def test_a_reader_that_leaves_is_no_error():
    """`optlab derive adam | true`: the exit code is 0 and standard error stays empty."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "optlab", "derive", "sgd"], stdout=write, stderr=subprocess.PIPE, text=True, timeout=60
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_output_that_is_no_terminal_has_no_colors(run):
    for arguments in (["derive", "momentum"], ["doctor"], ["--help"]):
        assert "\x1b" not in "".join(run(*arguments)[1:])
