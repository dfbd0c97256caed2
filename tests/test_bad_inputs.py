"""Every bad input is one line that says what, where and how to mend it; nothing is printed beside it and nothing half-written is left."""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from optlab.__main__ import main
from optlab.data import cifar10
from optlab.errors import OptlabError
from tests import bad_inputs

ASKED_JSON = "report derive theory simulate advise train grid claims verify rosetta doctor condition ravine runs data".split()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The files of the table, made once, and the ids of the damaged cells."""
    folder = tmp_path_factory.mktemp("bad")
    return folder, bad_inputs.place(folder)


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    """A copy of them to work in."""
    shutil.copytree(made[0], tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("OPTLAB_DATA", raising=False)
    monkeypatch.setattr(cifar10, "RECORDS", 10)
    monkeypatch.setattr("optlab.codegen.cuda.reason_without", lambda: "no NVIDIA driver answers: use backend='cpu'")
    return made[1]


def files():
    """Every file under the current folder and its size, but for what Python caches and for damaged cells, which are renamed."""
    found = ((str(path), path.stat().st_size) for path in sorted(_walk(".")) if path.suffix != ".pyc")
    return {re.sub(r"\.damaged-.*", ".nc", name): size for name, size in found if "__pycache__" not in name}


def _walk(folder):
    return (path for path in Path(folder).rglob("*") if path.is_file())


def fail_to_write(monkeypatch, number):
    """Writing in the current folder meets this errno; the caches, elsewhere, are written as ever."""
    write, here = tempfile.mkstemp, Path.cwd()

    def refuse(dir=None, prefix="", **options):
        if not Path(dir).resolve().is_relative_to(here):
            return write(dir=dir, prefix=prefix, **options)
        raise OSError(number, os.strerror(number), os.path.join(dir or "", prefix.strip(".")))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)


@pytest.mark.parametrize("name", [*bad_inputs.COMMANDS, *(f"in Python: {name}" for name in bad_inputs.CALLS)])
def test_a_bad_input_is_one_line_and_leaves_nothing(name, here, monkeypatch, capsys):
    before = files()
    if name.startswith("in Python: "):
        call, says = bad_inputs.CALLS[name.removeprefix("in Python: ")]
        with pytest.raises(OptlabError) as caught:
            call()
        line = str(caught.value)
    else:
        command, says, *fault = bad_inputs.COMMANDS[name]
        words = [word.format(**here) if "{c" in word else word for word in (command.split() if isinstance(command, str) else command)]
        says = re.sub(r"\{(cut|changed)\}", lambda match: here[match[1]], says)
        for each in fault:
            if isinstance(each, int):
                fail_to_write(monkeypatch, each)
            else:
                monkeypatch.setitem(sys.modules, each, None)
        code = main([*words, "--json"] if words[0] in ASKED_JSON else words)
        out, err = capsys.readouterr()
        assert (code, out) == (2, ""), (out, err)
        assert err.startswith("optlab")
        assert err.endswith("\n")
        damage, _, line = err[:-1].rpartition("\n")  # a damaged cell is reported when it is met, then the command says that it needs it
        assert damage == "" or ("is damaged" in damage and "\n" not in damage), err
    assert re.search(says, line), line
    assert "\n" not in line
    assert "Traceback" not in line
    assert len(line) < 500
    assert files() == before
