"""Derivations kept on disk: read back equal, made anew when damaged, never mixed up."""

import json

import pytest
import sympy as sp

import optlab as ol
from optlab.analysis import kept
from optlab.analysis.kept import Kept, as_text, from_text
from optlab.analysis.mode import Mode
from optlab.rules import lam
from optlab.symbols import symbol


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTLAB_CACHE", str(tmp_path))
    monkeypatch.delenv("OPTLAB_DERIVE", raising=False)
    return tmp_path / "theory"


def never():
    raise AssertionError("derived again")


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "ema_momentum", "momentum(beta=9/10)"])
def test_a_second_process_reads_what_the_first_derived(name, folder):
    rule = ol.rules.get(name)
    first = Mode(rule)
    items, tuned = first.items(), first.optimal(condition_number=7)
    again = Mode(rule)  # as a new process would: nothing in memory
    again.form = None  # reading needs no linear form
    assert again.items() == items
    assert again.optimal(condition_number=7) == tuned
    assert len(list(folder.glob("*.json"))) == 1


def test_every_rule_value_and_curvature_has_a_file_of_its_own(folder):
    paths = {
        Mode(ol.rules.get(name), curvature).kept.path
        for name in ("sgd", "momentum", "momentum(beta=1/2)")
        for curvature in (lam, sp.Integer(2))
    }
    assert len(paths) == 6


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"x": {"formula": "1 +"}}', '{"x": {"formula": "__import__(1)"}}'])
def test_a_damaged_file_is_derived_anew(damage, folder):
    one = Kept("subject")
    assert one.get("x", lambda: lam + 1) == lam + 1
    one.path.write_text(damage)
    assert Kept("subject").get("x", lambda: lam + 1) == lam + 1
    assert Kept("subject").get("x", never) == lam + 1


def test_values_of_every_kind_read_back_equal():
    x = sp.Symbol("x")
    root = sp.CRootOf(x**5 + x - 1, 0)
    value = {
        "a": (lam / 2, sp.Interval.open(0, lam)),
        "b": sp.ImmutableMatrix([[lam, 1], [0, sp.sqrt(2)]]),
        "c": [1, 2.5, None, True, "text"],
    }
    back = from_text(json.loads(json.dumps(as_text(value))))
    assert back == {**value, "c": tuple(value["c"])}
    assert abs(float(from_text(as_text(root))) - float(root)) < 1e-15


def test_what_does_not_read_back_is_not_kept(folder):
    other = sp.Symbol("lam", negative=True)  # another symbol of the same name
    one = Kept("subject")
    assert one.get("x", lambda: other + 1) == other + 1
    assert not one.path.exists()
    with pytest.raises(AssertionError, match="derived again"):
        Kept("subject").get("x", never)


def test_deriving_anew_neither_reads_nor_writes(folder, monkeypatch):
    monkeypatch.setenv("OPTLAB_DERIVE", "anew")
    assert Kept("subject").get("x", lambda: symbol("beta")) == symbol("beta")
    assert not Kept("subject").path.exists()


def test_two_writers_do_not_lose_each_others_results(folder):
    one, two = Kept("subject"), Kept("subject")
    one.get("x", lambda: lam)
    two.get("y", lambda: lam + 1)
    one.get("z", lambda: lam + 2)
    three = Kept("subject")
    assert [three.get(name, never) for name in "xyz"] == [lam, lam + 1, lam + 2]


def test_a_change_of_the_sources_changes_the_file(folder, monkeypatch):
    before = Kept("subject").path
    monkeypatch.setattr(kept, "_engine", lambda: "other sources")
    assert Kept("subject").path != before
