"""What the terminal shows: progress, remarks, colors, completion, and examples that run."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import typer
import xarray as xr

import optlab as ol
from optlab.__main__ import main
from optlab.cli import app
from optlab.cli.output import print_table, progress_bar, talk
from optlab.experiments.store import Store
from optlab.experiments.sweep import Cell, Runner
from tests.cli.test_exit_codes import GRID

ROOT = Path(ol.__file__).parents[1]
TINY = """rules = ["sgd"]
sections = ["quadratics"]
[quadratics]
kappas = [10]
dim = 3
steps = 40
trajectories = 64
"""


def commands(group=None, words=()):
    """Every command as its words, from the tree that typer builds."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


COMMANDS = dict(commands())


class Terminal(io.StringIO):
    def isatty(self):
        return True


# --- help, and its examples ---


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_talks_less_or_more(words):
    options = {name for each in COMMANDS[words].params for name in each.opts}
    assert {"--quiet", "--verbose", "-q", "-v", "--json"} <= options


def examples(words, capsys):
    assert main([*words, "--help"]) == 0
    _, _, end = capsys.readouterr().out.partition("Example: ")
    found = [line.strip() for line in end.splitlines() if line.strip()]
    assert found, f"the help of {words} ends with no example"
    assert all(line.startswith(f"optlab {' '.join(words)}") for line in found)
    return [shlex.split(line)[1:] for line in found]


CHEAP = {  # what makes an example quick: the same command on less, into this folder
    "report": ["tiny.toml", "--out", "page", "--store", "kept"],
    "simulate": ["--trajectories", "64", "--steps", "5", "--out", "a.nc"],
    "advise": ["--budget", "20", "--rule", "sgd", "--figure", "a.png"],
    "grid": ["grid.toml", "--out", "page", "--store", "kept"],
    "claims": ["--store", "kept"],
}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_examples_of_every_help_can_be_typed(words, capsys):
    """Every word is an option or a value that the command takes."""
    command = COMMANDS[words]
    for example in examples(words, capsys):
        command.make_context(" ".join(words), example[len(words) :])


@pytest.mark.parametrize("words", [("derive",), ("doctor",), ("rosetta",), ("runs", "list"), ("runs", "clean")], ids=" ".join)
def test_examples_run(words, elsewhere, capsys):
    for example in examples(words, capsys):
        extra = ["--store", "kept"] if words[0] == "runs" else CHEAP.get(words[0], [])
        (elsewhere / "kept").mkdir(exist_ok=True)
        assert main([*example, *extra]) == 0, example
        assert capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("simulate",), ("report",), ("advise",), ("grid",), ("train",), ("verify",), ("ravine",), ("claims",)], ids=" ".join
)
def test_long_examples_run_on_less(words, elsewhere, capsys, monkeypatch):
    (elsewhere / "tiny.toml").write_text(TINY)
    (elsewhere / "grid.toml").write_text(GRID)
    (elsewhere / "mine.py").write_text(
        "from optlab.rules import Rule, alpha, g, theta\nMINE = Rule(name='mine', equations=((theta, theta - alpha * g),))\n"
    )
    (elsewhere / "examples").symlink_to(ROOT / "examples")
    (elsewhere / "table.csv").write_text("x,y\n" + "".join(f"{k % 7},{k % 5}\n" for k in range(40)))
    for example in examples(words, capsys):
        kind = words[0]
        if kind in ("report", "grid"):
            example = [kind, *CHEAP[kind]]
        elif kind == "train":
            size = "synthetic(size=16, training=120, test=30)"
            small = {"resnet20": ["train", "resnet8", "--data", size, "--rule", "momentum", "--alpha", "0.1", "--validation", "20"]}
            example = [*small.get(example[1], example), "--epochs", "1", "--probe", "0", "--out", "t.nc", "--batch", "20"]
        elif kind == "ravine":
            example += ["--set", "steps=30", "--set", 'rules=["sgd"]', "--set", "sgd_rates=[0.5]", "--store", "kept"]
        else:
            example += CHEAP.get(kind, [])
        assert main(example) == 0, example
        assert capsys.readouterr().out


# --- progress, remarks, colors ---


def cells(number):
    return [Cell(f"cell {k}", {"kind": "demo", "k": k}, partial(xr.Dataset, {"x": k})) for k in range(number)]


def test_progress_is_a_bar_with_the_time_left_on_a_terminal_only(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("cells") as bar:
        bar(1, 4, "first")
        time.sleep(0.12)  # the bar is drawn ten times a second
        bar(2, 4, "second")
    assert re.search(r"cells (first|second).*[12]/4.*\d:\d\d:\d\d", screen.getvalue().replace("\n", " "))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar("cells") as bar:
        assert bar is None
    monkeypatch.setattr(sys, "stderr", Terminal())
    with talk(quiet=True, verbose=False), progress_bar("cells") as bar:
        assert bar is None
    assert sys.stderr.getvalue() == ""


def test_a_dumb_terminal_gets_lines_without_control_codes(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "dumb")
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with progress_bar("cells") as bar:
        for done in range(1, 5):
            now[0] += 6
            bar(done, 5, "some")
    assert screen.getvalue() == "cells some: 2 of 5, about 18 s left\ncells some: 4 of 5, about 6 s left\n"


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1", "TERM": "xterm-256color"}, {"TERM": "dumb"}])
def test_no_color_means_no_codes(variable, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    print_table("a title", ("name", "value"), [("a", 1)])
    assert "\x1b" not in screen.getvalue()
    assert "a title" in screen.getvalue()


def test_a_terminal_has_styles(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    print_table("a title", ("name", "value"), [("a", 1)])
    assert "\x1b[2m" in screen.getvalue()


def test_verbose_says_what_is_computed_read_and_kept(tmp_path, capsys):
    store = Store(tmp_path)
    with talk(quiet=False, verbose=True):
        Runner(store)(cells(2))
        Runner(store)(cells(2))
    lines = capsys.readouterr().err.splitlines()
    paths = [store.path(cell.spec) for cell in cells(2)]
    assert lines == [
        *(line for k in (0, 1) for line in (f"optlab: computing cell {k}", f"optlab: kept cell {k} in {paths[k]}")),
        *(f"optlab: read cell {k} from {paths[k]}" for k in (0, 1)),
    ]
    Runner(store)(cells(2))
    assert capsys.readouterr().err == ""


def test_verbose_derivations(run, tmp_path, monkeypatch):
    monkeypatch.setenv("OPTLAB_CACHE", str(tmp_path))
    rule = tmp_path / "rule.py"  # one that nothing in this process has derived yet
    rule.write_text("from optlab.rules import Rule, alpha, g, theta\nNEW = Rule(name='new', equations=((theta, theta - alpha * g / 7),))\n")
    code, out, err = run("derive", f"{rule}:NEW", "--verbose", "--json")
    assert code == 0
    assert json.loads(out)["rule"] == "new"
    assert re.search(rf"^optlab: deriving \w+, kept in {tmp_path}/theory/\w+\.json$", err, re.M)
    assert re.search(rf"^optlab: read the derivation \w+ from {tmp_path}/theory/", run("derive", f"{rule}:NEW", "--verbose")[2], re.M)
    assert run("derive", f"{rule}:NEW", "--quiet")[2] == ""


# --- completion, and output that cannot be written ---


def shell(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "optlab", *arguments], capture_output=True, text=True, timeout=120, env=os.environ | variables
    )


@pytest.mark.parametrize(
    ("line", "offered"),
    [("optlab sim", ["simulate"]), ("optlab derive ada", ["adam", "adamw", "adagrad", "adamax", "adadelta", "adabelief"]),
     ("optlab train --schedule co", ["constant", "cosine"]), ("optlab simulate --problem quad", ["quadratic"])],
)  # fmt: skip
def test_completion(line, offered):
    done = shell(_OPTLAB_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split()) - 1))
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", offered)


def test_completion_is_installed(tmp_path):
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # the shell is given, not that of whoever runs the tests
    done = shell("--show-completion", "bash", **named)
    assert (done.returncode, done.stderr) == (0, "")
    assert "complete -o default -F _optlab_completion optlab" in done.stdout
    done = shell("--install-completion", "bash", HOME=str(tmp_path), **named)
    assert (done.returncode, done.stderr) == (0, "")
    assert "_OPTLAB_COMPLETE" in (tmp_path / ".bash_completions/optlab.sh").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_standard_output_that_is_full_is_one_line():
    with open("/dev/full", "w") as nowhere:
        done = subprocess.run([sys.executable, "-m", "optlab", "--version"], stdout=nowhere, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == "optlab: cannot write the output: No space left on device; free some space\n"


def test_an_output_without_greek_letters_gets_their_numbers(elsewhere, monkeypatch):
    (elsewhere / "ξ").mkdir()
    for words, shown in ((["--json"], '"store": "\\u03be"'), ([], "0 cells, 0 B, in \\u03be")):
        screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, "stdout", screen)
        assert main(["runs", "list", "--store", "ξ", *words]) == 0
        screen.seek(0)
        assert shown in screen.read()
