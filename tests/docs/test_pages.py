"""What the documentation shows must run: Python page by page, commands as they stand or, where they need what a test has not, parsed."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from optlab.__main__ import main
from optlab.cli import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if not {"_build", "gallery", "reference"} & set(path.relative_to(DOCS).parts))

#: Commands that need a cluster, a store, CIFAR-10, a table of yours or over a minute: their options are parsed, nothing is run.
ELSEWHERE = re.compile(
    r"optlab train logistic|tcp://|--data-dir|optlab condition .*10000|optlab condition .*0.01|grid examples/|optlab doctor$|optlab runs"
)
#: What makes the others small.
SMALLER = {
    "simulate": ["--trajectories", "100", "--steps", "20", "--out", "small.nc"],
    "advise": ["--budget", "20", "--rule", "sgd"],
    "train": ["--out", "small.nc", "--training", "100"],
    "report": ["--json"],
}


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.S | re.M)


def commands() -> list[tuple[str, str]]:
    found = (
        (page, line)
        for page in PAGES
        if page.stem != "errors"
        for block in blocks(page, "console")
        for line in re.findall(r"^\$ optlab (.*)$", block, re.M)
    )
    return [(page.stem, line) for page, line in found]


@pytest.fixture
def beside_examples(tmp_path, monkeypatch):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_the_python_of_a_page_runs_from_top_to_bottom(page, beside_examples):
    names: dict = {"__name__": "page"}
    for block in blocks(page, "python"):
        exec(compile(block, str(page.name), "exec"), names)


def test_the_tutorial_prints_what_it_shows(beside_examples, capsys):
    text = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    names: dict = {}
    shown = 0
    for code, after in re.findall(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", text, re.S | re.M)[:3]:
        exec(compile(code, "tutorial.md", "exec"), names)
        printed = capsys.readouterr().out
        if after:
            assert printed == after
            shown += 1
    assert shown == 3


@pytest.mark.parametrize(("page", "line"), commands(), ids=lambda value: value[:60])
def test_a_command_of_a_page_runs(page, line, beside_examples, capsys):
    arguments = shlex.split(line)
    if ELSEWHERE.search(f"optlab {line}"):
        command, rest = typer.main.get_command(app), arguments
        while hasattr(command, "commands"):
            (name, *rest), group = rest, command
            command = group.commands[name]
        command.make_context(name, rest)  # raises where an option is unknown or a value is of the wrong kind
        return
    if "spec.toml" in arguments:
        (toml,) = blocks(DOCS / f"{page}.md", "toml")
        Path("spec.toml").write_text(toml.replace("trajectories = 500", "trajectories = 100"), encoding="utf-8")
    extra = SMALLER.get(arguments[0], [])
    assert main([*arguments, *extra]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize(("line", "said"), re.findall(r"^\$ optlab (.*)\n(optlab.*)$", (DOCS / "errors.md").read_text("utf-8"), re.M))
def test_an_error_is_the_line_that_is_shown(line, said, capsys):
    assert main(shlex.split(line)) == 2
    shown = [re.escape(part) for part in said.split("...")]  # what is left out
    assert re.fullmatch(".*".join(shown), capsys.readouterr().err.strip())


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            made = {"reference", "gallery"} & set(Path(target).parts)  # written by `make docs`
            assert made or path.is_file(), f"{page.name}: {target}"
