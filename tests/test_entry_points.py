"""Rules, schedules and problems of somebody else's installed package work by their names; a broken one breaks nothing else."""

import json
import sys

import numpy as np
import pytest

import optlab as ol
from optlab.__main__ import main
from optlab.errors import InputError, UnknownNameError

MODULE = """
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta
q, r = symbol("q"), symbol("r")
HALF = Rule(name="halfway", parameters={q: Parameter("1/2", within="[0, 1)")}, state={r: State(init=0)},
            equations=((r, q * r + g), (theta, theta - alpha * r)))
"""
OTHERS = """
import optlab as ol
from optlab.schedules import Parameter, Schedule, symbol, time
c = symbol("c")
STAIRS = Schedule(name="stairs", expression=c / (1 + time // 10), parameters={c: Parameter(within="(0, oo)")})
BOWL = ol.problems.quadratic(spectrum=[1, 2])
def bowl(width=1.0):
    return ol.problems.quadratic(spectrum=[1 / width, 2 / width])
def number():
    return 3
"""
ENTRY_POINTS = """[optlab.rules]
halfway = their_rules:HALF
missing = their_rules:NOTHING
crash = their_crash:RULE
text = their_rules:MODULE_TEXT
adam = their_rules:HALF
[optlab.schedules]
stairs = their_others:STAIRS
[optlab.problems]
bowl = their_others:bowl
ready = their_others:BOWL
number = their_others:number
crash = their_crash:PROBLEM
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with an entry point, as pip would leave it."""
    (tmp_path / "their_rules.py").write_text(MODULE + 'MODULE_TEXT = "no rule"\n')
    (tmp_path / "their_others.py").write_text(OTHERS)
    (tmp_path / "their_crash.py").write_text("raise RuntimeError('this machine\\nis not for me')\n")
    info = tmp_path / "their_rules-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-rules\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("their_rules", "their_others", "their_crash"):
        sys.modules.pop(name, None)


def test_a_packaged_rule_is_listed_derived_and_simulated(installed):
    assert ol.rules.names()[-4:] == ["halfway", "missing", "crash", "text"]
    rule = ol.rules.get("halfway", q=0.25)
    assert str(ol.analyze(rule).stability_limit) == "5/(2*lam)"  # 2 (1 + q) / lam
    run = ol.simulate("halfway", ol.problems.quadratic(spectrum=[1.0]), schedule=0.1, steps=3, trajectories=1, keep=1, record=[0, 1, 2, 3])
    x, r, seen = 1.0, 0.0, [1.0]
    for _ in range(3):
        r = 0.5 * r + x
        x -= 0.1 * r
        seen.append(x)
    assert np.allclose(run.theta.values[0, :, 0], seen, rtol=1e-14)


def test_packaged_schedules_and_problems_are_used_by_name(installed):
    assert ol.schedules.names()[-1] == "stairs"
    assert [float(ol.schedules.get("stairs(c=2)").at(step)) for step in (0, 9, 10, 25)] == [2, 2, 1, 2 / 3]
    assert ol.problems.names()[-4:] == ["bowl", "ready", "number", "crash"]
    assert ol.problems.get("bowl(width=4)").spectrum == (0.25, 0.5)
    assert ol.problems.get("bowl", width=2).spectrum == (0.5, 1.0)
    assert ol.problems.get("ready").spectrum == (1, 2)
    run = ol.predict("sgd", "bowl(width=2)", schedule="stairs(c=0.1)", steps=3)
    assert float(run.loss_mean[-1]) < float(run.loss_mean[0])


def test_a_broken_package_is_named_in_one_line_and_breaks_no_other(installed):
    for get, name, words in [
        (ol.rules.get, "crash", r"rule 'crash' of the installed package their-rules 1.0 fails with RuntimeError: this machine; update"),
        (
            ol.rules.get,
            "missing",
            r"rule 'missing' of the installed package their-rules 1.0 fails with AttributeError: module 'their_rules'",
        ),
        (ol.rules.get, "text", "rule 'text' is a str, not a Rule"),
        (ol.problems.get, "crash", r"problem 'crash' of the installed package their-rules 1.0 fails with RuntimeError"),
        (ol.problems.get, "number", "problem 'number' is a int, not a Problem"),
        (ol.problems.get, "ready(width=1)", "ready is a ready problem and takes no options"),
        (ol.problems.get, "bowl(depth=1)", r"problem 'bowl\(depth=1\)': bowl got an unexpected keyword argument 'depth'"),
    ]:
        with pytest.raises(InputError, match=words) as caught:
            get(name)
        assert "\n" not in str(caught.value)
    assert ol.rules.get("halfway").name == "halfway"
    assert ol.rules.get("adam").summary  # optlab's own, not theirs


def test_doctor_lists_what_packages_add(installed, capsys):
    assert main(["doctor", "--json"]) == 0  # a broken package is not optlab's failure
    found = json.loads(capsys.readouterr().out)["items"]
    assert found["rule halfway"] == {"state": "ok", "detail": "their_rules:HALF of their-rules 1.0"}
    assert found["schedule stairs"]["state"] == found["problem bowl"]["state"] == "ok"
    assert "fails with RuntimeError: this machine" in found["rule crash"]["detail"]
    assert "hidden by optlab's own adam" in found["rule adam"]["detail"]
    states = {name: item["state"] for name, item in found.items() if name.startswith(("rule ", "problem "))}
    assert [name for name, state in states.items() if state == "absent"] == [
        "rule missing", "rule crash", "rule text", "rule adam", "problem crash",
    ]  # fmt: skip


def test_without_the_package_the_name_is_unknown():
    with pytest.raises(UnknownNameError, match="unknown rule 'halfway'"):
        ol.rules.get("halfway")
