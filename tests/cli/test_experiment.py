"""Every experiment is a command: a spec in, a file, a figure and a table out; one line for what cannot be."""

import json

import pytest
import xarray as xr

from optlab.__main__ import main
from optlab.experiments.catalog import QUESTIONS


def test_a_spec_goes_in_and_a_file_a_figure_and_json_come_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text('rules = ["sgd"]\nsteps = 30\nsgd_rates = [0.5]\n')
    assert main(["ravine", "mine.toml", "--set", "kappa=9", "--store", "kept", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["spec"]["kappa"] == 9
    assert document["sign_changes"] == [29]
    assert document["store"] == {"computed": 4, "read": 0}
    assert xr.load_dataset("ravine.nc", engine="scipy").sizes["step"] == 31
    assert (tmp_path / "ravine.png").stat().st_size > 1000
    assert main(["ravine", "mine.toml", "--set", "kappa=9", "--store", "kept"]) == 0
    assert "0 cells computed, 4 read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "kapa=9"], "unknown key 'kapa'; did you mean 'kappa'?"),
        (["--set", "kappa=0.5"], "kappa = 0.5"),
        (["--set", "kappa"], "give name=value"),
        (["--preset", "huge"], "preset"),
        (["missing.toml"], "there is no spec file"),
        (["--out", "x.png"], "must end in .nc"),
        (["--out", "nowhere/x.nc"], "there is no folder"),
        (["--set", 'rules=["sdg"]'], "did you mean"),
        (["--data-dir", "2024"], "unknown key 'data_dir'"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["ravine", "--store", "kept", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("*.nc"))


def test_a_report_is_one_page_with_its_numbers_beside(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = ["ravine", "--set", 'rules=["sgd"]', "--set", "steps=30", "--store", "kept", "--report", "pages/ravine"]
    assert main(asked) == 0
    assert "wrote pages/ravine/index.html" in capsys.readouterr().out
    page = (tmp_path / "pages/ravine/index.html").read_text()
    assert page.count("<svg") == 1
    assert "sgd swings across the ravine" in page
    assert "optlab ravine --set &#39;rules=[&#34;sgd&#34;]&#39; --set steps=30 --report pages/ravine" in page
    assert "http://" not in page.replace("http://www.w3.org/", "").replace("http://purl.org/", "").replace(
        "http://creativecommons.org/", ""
    )
    assert len(page) < 250_000
    assert xr.load_dataset("pages/ravine/ravine.nc", engine="scipy").sizes["step"] == 31
    assert not (tmp_path / "ravine.nc").exists()
    (tmp_path / "file").write_text("")
    assert main([*asked[:-1], "file/deeper"]) == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_has_its_help(name, capsys):
    assert main([name, "--help"]) == 0
    assert QUESTIONS[name].split("?")[0].split(":")[0] in " ".join(capsys.readouterr().out.split())


def test_the_folder_of_the_images_goes_into_the_spec(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["onecycle", "--set", "data=cifar10", "--data-dir", "2024", "--store", "kept"]) == 2
    error = capsys.readouterr().err
    assert "2024" in error
    assert error.count("\n") == 1
