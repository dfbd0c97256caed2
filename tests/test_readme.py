"""What the README and the guide show must run."""

import re
import shlex
from pathlib import Path

import pytest

from optlab import rules
from optlab.__main__ import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """The Python blocks, without the indentation of the list they may stand in."""
    found = re.findall(r"^( *)```python\n(.*?)^ *```", text, re.S | re.M)
    return [re.sub(rf"^{indent}", "", body, flags=re.M) for indent, body in found]


def commands() -> list[str]:
    return re.findall(r"^\$ optlab (.*)$", README, re.M)


def test_the_python_example_runs(capsys):
    example = blocks(README)[0]
    exec(compile(example.replace("trajectories=10_000", "trajectories=500"), "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2*(beta + 1)/lam"  # as the comment beside it says
    assert lines[2] == "(sqrt(kappa) - 1)/(sqrt(kappa) + 1)"
    measured, error, exact = (float(lines[3].split()[i]) for i in (0, 2, 4))
    assert abs(measured - exact) <= 8 * error


def test_the_training_example_runs(capsys):
    example = next(block for block in blocks(README) if "ol.train(" in block)
    exec(compile(example, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("text", [README, GUIDE], ids=["README", "CONTRIBUTING"])
def test_the_rule_of_ones_own_loads(text, tmp_path):
    source = next(block for block in blocks(text) if "Rule(" in block)
    (tmp_path / "mine.py").write_text(source, encoding="utf-8")
    name = re.search(r"^(\w+) = Rule\(", source, re.M)[1]
    assert rules.get(f"{tmp_path / 'mine.py'}:{name}").equations


@pytest.mark.parametrize("line", commands())
def test_the_commands_run(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    arguments = shlex.split(line)
    if arguments[0] == "simulate":
        arguments += ["--trajectories", "200", "--steps", "50", "--out", str(tmp_path / "out.nc")]
    if arguments[0] == "advise":
        arguments += ["--budget", "40", "--rule", "sgd", "--figure", str(tmp_path / "out.png")]
    if arguments[0] == "train":
        arguments += ["--out", str(tmp_path / "out.nc")]
    assert main(arguments) == 0
    assert capsys.readouterr().out


def test_every_command_is_in_the_table(capsys):
    assert main(["--help"]) == 0
    listed = re.findall(r"^  ([a-z]+)  ", capsys.readouterr().out, re.M)
    assert len(listed) > 20
    assert all(f"`optlab {name}" in README for name in listed)


def test_every_linked_file_is_there():
    for text in (README, GUIDE):
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert (ROOT / target).is_file(), target
