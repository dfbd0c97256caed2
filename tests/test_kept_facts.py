"""Facts kept on disk: once computed, read again; never stale, never half, never in the way."""

import json

import pytest

from optlab import kept_facts
from optlab.kept_facts import digest, kept, sympy_version

SUBJECT = ["a subject", "version 1"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTLAB_CACHE", str(tmp_path))
    monkeypatch.delenv("OPTLAB_DERIVE", raising=False)
    monkeypatch.setattr(kept_facts, "_seen", {})
    return tmp_path / "facts"


def anew(monkeypatch):
    """As in a new process."""
    monkeypatch.setattr(kept_facts, "_seen", {})


def never():
    raise AssertionError("this was kept")


def test_a_fact_is_computed_once_per_machine(folder, monkeypatch):
    value = {"text": "x² ∈ ℝ", "numbers": (1, 2.5, None, True)}
    expected = {"text": "x² ∈ ℝ", "numbers": [1, 2.5, None, True]}
    assert kept(SUBJECT, lambda: value) == expected  # already as JSON gives it back
    assert kept(SUBJECT, never) == expected
    anew(monkeypatch)
    assert kept(SUBJECT, never) == expected
    assert len(list(folder.iterdir())) == 1
    (file,) = folder.iterdir()
    assert json.loads(file.read_text())["subject"] == SUBJECT


@pytest.mark.parametrize("value", [None, 0, "", [], False])
def test_values_that_are_nothing_are_kept_too(value, monkeypatch):
    assert kept(SUBJECT, lambda: value) == value
    anew(monkeypatch)
    assert kept(SUBJECT, never) == value


def test_every_part_of_the_subject_counts(folder):
    subjects = [["a", "b"], ["ab"], ["a", "b", ""], ["b", "a"], ['a", "b']]
    assert [kept(subject, lambda n=n: n) for n, subject in enumerate(subjects)] == list(range(len(subjects)))
    assert len(list(folder.iterdir())) == len(subjects)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-5],
        lambda text: "",
        lambda text: "[1]",
        lambda text: text.replace("42", "43"),
        lambda text: text.replace("version 1", "version 2"),
        lambda text: '{"subject": 3}',
    ],
)
def test_a_damaged_file_is_computed_anew(folder, monkeypatch, damage):
    kept(SUBJECT, lambda: 42)
    (file,) = folder.iterdir()
    sound = file.read_text()
    assert damage(sound) != sound
    file.write_text(damage(sound))
    anew(monkeypatch)
    assert kept(SUBJECT, lambda: 42) == 42
    assert file.read_text() == sound


def test_bytes_that_are_no_text_are_computed_anew(folder, monkeypatch):
    kept(SUBJECT, lambda: 42)
    (file,) = folder.iterdir()
    file.write_bytes(b"\xff\xfe\x00")
    anew(monkeypatch)
    assert kept(SUBJECT, lambda: 41) == 41


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OPTLAB_CACHE", str(tmp_path / "file"))
    assert kept(SUBJECT, lambda: 1) == 1
    anew(monkeypatch)
    assert kept(SUBJECT, lambda: 2) == 2


def test_keeping_can_be_turned_off(folder, monkeypatch):
    monkeypatch.setenv("OPTLAB_DERIVE", "anew")
    assert [kept(SUBJECT, lambda n=n: (n,)) for n in (1, 2)] == [[1], [2]]
    assert not folder.exists()


def test_errors_go_through_and_are_not_kept(folder):
    with pytest.raises(ZeroDivisionError):
        kept(SUBJECT, lambda: 1 / 0)
    assert kept(SUBJECT, lambda: 1) == 1


def test_the_digest_is_that_of_the_bytes_in_order(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"ab")
    two.write_bytes(b"c")
    first = digest([one, two])
    assert digest([two, one]) != first
    one.write_bytes(b"a")
    two.write_bytes(b"bc")  # the same bytes on end
    assert digest([one, two]) != first


def test_sympys_version_is_its_own():
    import sympy

    assert sympy_version() == sympy.__version__
