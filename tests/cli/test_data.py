"""``optlab data``."""

from tests.cli.conftest import document


def test_showing_the_synthetic_images(run):
    code, shown = document(run("data", "show", "synthetic(training=20, test=10, size=8)", "--json"))
    assert code == 0
    assert (shown["training"], shown["test"], shown["shape"]) == (20, 10, [8, 8, 3])
    assert shown["counts"] == [2] * 10
    code, out, _ = run("data", "show", "synthetic(training=20, test=10, size=8)")
    assert code == 0
    assert shown["fingerprint"] in out


def test_a_folder_without_files_is_one_line(run, tmp_path, monkeypatch):
    monkeypatch.delenv("OPTLAB_DATA", raising=False)
    code, out, err = run("data", "show", "--data-dir", tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith(f"optlab: {tmp_path}: no CIFAR-10 files here")
    assert err.count("\n") == 1


def test_a_download_that_fails_is_one_line(run, tmp_path):
    code, out, err = run("data", "fetch", "cifar10", "--data-dir", tmp_path, "--url", "http://127.0.0.1:9/x.tar.gz")
    assert (code, out) == (2, "")
    assert err.startswith("optlab: cannot download http://127.0.0.1:9/x.tar.gz")
    assert run("data", "fetch", "imagenet")[0] == 2


def test_the_group_explains_itself(run):
    code, out, _ = run("data", "--help")
    assert code == 0
    assert "fetch" in out
    assert "show" in out
