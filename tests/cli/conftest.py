"""Running commands in this process, in an empty folder."""

import json

import pytest

from optlab.__main__ import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Commands run in an empty folder, so what they write by default stays there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def document(result):
    code, out, err = result
    assert err == ""
    assert out.startswith("{")
    return code, json.loads(out)  # json.loads refuses anything before or after one document
