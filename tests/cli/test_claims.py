"""The command: verdicts in the terminal, as JSON, as a page."""

import json
import re

import pytest

from optlab.__main__ import main


def test_verdicts_are_printed_and_a_page_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["claims", "--only", "9,11", "--store", "kept", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["number"] for row in document["claims"]] == [9, 11]
    assert document["claims"][1]["verdict"] == "holds under conditions"
    assert document["claims"][1]["parts"][1]["outcome"] == "no"
    assert document["page"] is None
    assert not (tmp_path / "reports").exists()
    kept = document["took"]["9"]
    assert kept["cells"] == 2
    assert main(["claims", "--only", "9", "--store", "kept", "--out", "again"]) == 0  # all of it from the store
    words = r"\(its (\d+) cells took ([\d.]+) s to compute, [\d.]+ s of processor time; with \1 of them kept, [\d.]+ s this time\)"
    said = re.search(words, (tmp_path / "again/index.html").read_text())
    assert (int(said[1]), float(said[2])) == (kept["cells"], round(kept["seconds"], 1))
    capsys.readouterr()
    assert main(["claims", "--only", "11", "--store", "kept", "--out", "page"]) == 0
    out = capsys.readouterr().out
    assert "holds under conditions" in out
    assert "wrote page/index.html" in out
    html = (tmp_path / "page/index.html").read_text()
    assert 'id="claim-11"' in html
    assert not re.search(r'(src|href)="https?:', html)
    assert (tmp_path / "page/bias_correction.nc").is_file()
    assert (tmp_path / "page/figures/bias_correction.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"), [(["--only", "x"], "'x' is no number"), (["--only", "99"], "no claim 99"), (["--preset", "huge"], "preset")]
)
def test_what_cannot_be_asked_is_said_in_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["claims", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "reports").exists()
