"""Facts of rules and schedules by name: the second process knows them without SymPy, until a file they are written in changes."""

import json
import sys

import pytest

from optlab import definition_files, kept_facts, rules, schedules
from optlab.errors import InputError, UnknownNameError
from tests.kept import copied, process, replace

MINE = """
import sympy as sp
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta
beta, m = symbol("beta"), symbol("m")
MINE = Rule(name="mine", parameters={beta: Parameter("9/10", within="[0, 1)")}, state={m: State(init=0)},
            equations=((m, beta * m + (1 - beta) * g), (theta, theta - alpha * m)))
"""
ASK = """
import json, sys
import optlab.registry
from optlab import rules, schedules
assert "sympy" not in sys.modules, "imported"
calls = []
def about(record):
    calls.append(record.name)
    return {"label": record.label(), "fingerprint": record.fingerprint, "latex": record.latex()}
facts = {}
for name in NAMES:
    kind, _, text = name.partition(" ")
    facts[name] = {"rule": rules, "schedule": schedules}[kind].facts_of(text, about, version=VERSION)
print(json.dumps([facts, calls, "sympy" in sys.modules]))
"""
BUILT_IN = [f"rule {name}" for name in rules.names()] + [f"schedule {name}" for name in schedules.names()]
MADE_OF_ADAM = ["adamw", "nadam", "amsgrad", "adabelief"]
CALLS = ["rule momentum(beta=0.5)", "rule adam(eps_placement='outside')", "schedule constant(alpha=0.1)"]


def ask(cache, names, version="1", **where):
    """The facts of these names, the records that were computed with, and whether SymPy was imported."""
    return process(f"NAMES, VERSION = {names!r}, {version!r}\n{ASK}", cache, **where)


def test_the_packages_do_not_import_sympy(tmp_path):
    code = """
import json, sys
import optlab.registry
from optlab import rules, schedules
found = [rules.names(), schedules.names(), sorted(set(rules.__all__) - set(dir(rules)))]
try:
    rules.get("momentun")
except LookupError as error:
    found.append(str(error))
found.append([name for name in ("sympy", "numpy") if name in sys.modules])
from optlab.rules import Rule, adam, symbol, theta
from optlab.schedules import Schedule, time
print(json.dumps([*found, adam.RULE.name, isinstance(adam.RULE, Rule), theta is symbol("theta"), "sympy" in sys.modules]))
"""
    names, kinds, unlisted, unknown, imported, *rest = process(code, tmp_path)
    assert (names, kinds) == (rules.names(), schedules.names())
    assert unlisted == imported == []
    assert "unknown rule 'momentun'; did you mean 'momentum'?" in unknown
    assert rest == ["adam", True, True, True]


def test_names_that_a_package_does_not_offer():
    for package in (rules, schedules):
        with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
            _ = package.nothing


def test_a_second_process_knows_the_same_without_sympy(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    names = [*BUILT_IN, *CALLS, f"rule {tmp_path / 'mine.py'}:MINE", f"rule {tmp_path / 'mine.py'}:MINE(beta=0.25)"]
    first, calls, imported = ask(tmp_path / "cache", names)
    assert len(calls) == len(names)
    assert imported
    for name in BUILT_IN + CALLS:
        kind, _, text = name.partition(" ")
        record = {"rule": rules, "schedule": schedules}[kind].get(text)
        assert first[name] == {"label": record.label(), "fingerprint": record.fingerprint, "latex": record.latex()}
    assert ask(tmp_path / "cache", names) == [first, [], False]
    again, calls, _ = ask(tmp_path / "cache", names, version="2")
    assert again == first
    assert len(calls) == len(names)
    assert ask(tmp_path / "cache", names, OPTLAB_DERIVE="anew") == [first, calls, True]


def test_a_changed_rule_changes_itself_and_what_is_made_of_it(tmp_path):
    package, cache = copied(tmp_path), tmp_path / "cache"
    first, calls, _ = ask(cache, BUILT_IN, package=package)
    assert calls == [name.split()[1] for name in BUILT_IN]
    replace(package / "rules" / "adam.py", 'beta1: Parameter("9/10"', 'beta1: Parameter("8/10"')
    changed, calls, _ = ask(cache, BUILT_IN, package=package)
    assert calls == ["adam", *MADE_OF_ADAM]
    assert {name for name in first if first[name] != changed[name]} == {f"rule {name}" for name in calls}
    replace(package / "rules" / "adam.py", 'beta1: Parameter("8/10"', 'beta1: Parameter("9/10"')
    assert ask(cache, BUILT_IN, package=package) == [first, [], False]
    replace(package / "symbols.py", '"""The symbols that', '"""Symbols that')  # every record is made of them
    assert ask(cache, BUILT_IN, package=package)[:2] == [first, [name.split()[1] for name in BUILT_IN]]


def test_a_changed_file_of_ones_own(tmp_path):
    path, cache = tmp_path / "mine.py", tmp_path / "cache"
    path.write_text(MINE)
    name = f"rule {path}:MINE"
    first, _, _ = ask(cache, [name])
    replace(path, "(1 - beta) * g", "g")
    changed, calls, _ = ask(cache, [name])
    assert calls == ["mine"]
    assert changed[name]["fingerprint"] != first[name]["fingerprint"]
    assert ask(cache, [name]) == [changed, [], False]
    replace(path, "* m + g", "* m + (1 - beta) * g")
    assert ask(cache, [name]) == [first, [], False]


# --- in this process ---


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OPTLAB_DERIVE", raising=False)
    monkeypatch.setattr(kept_facts, "_seen", {})
    return tmp_path / "cache" / "facts"


def computed(name, times=2):
    """How often facts are computed when they are asked for twice."""
    calls = []
    for _ in range(times):
        rules.facts_of(name, lambda rule: calls.append(rule) or {"label": rule.label()}, version="1")
    return len(calls)


ALONE = {
    "records": "",
    "future": "from __future__ import annotations",
    "sympy": "import sympy\nfrom sympy import *\nfrom sympy.functions import exp",
    "another rule": "from optlab.rules.adam import RULE as ADAM\nfrom optlab.rules import adam",
    "expressions": "from optlab.expressions import State\nfrom optlab.symbols import sympify\nfrom optlab.schedules import time",
    "a word": "names = 'open'  # get",
}
REACHING = {
    "another module": "import json",
    "within a function": "def later():\n    import os",
    "the package": "import optlab",
    "a package of it": "from optlab import problems",
    "a package by name": "import optlab.rules",
    "analysis": "from optlab.analysis import analyze",
    "other definitions": "from optlab.rules import get",
    "registered ones": "from optlab.schedules import as_schedule",
    "all": "from optlab.rules import *",
    "the registry": "from optlab.rules import _registry",
    "a file": "with open(__import__('os').devnull) as file: text = file.read()",
    "text that is run": "exec('import json')",
    "its place": "here = __file__",
}


@pytest.mark.parametrize("lines", ALONE.values(), ids=ALONE)
def test_files_that_stand_alone_are_kept(tmp_path, lines):
    path = tmp_path / "mine.py"
    path.write_text("from __future__ import annotations\n" + MINE if "future" in lines else lines + MINE)
    assert computed(f"{path}:MINE") == 1


@pytest.mark.parametrize("lines", REACHING.values(), ids=REACHING)
def test_files_that_reach_further_are_computed_every_time(tmp_path, cache, lines):
    path = tmp_path / "mine.py"
    path.write_text(lines + MINE)
    assert computed(f"{path}:MINE") == 2
    assert not cache.exists()


def test_records_and_installed_rules_are_computed_every_time(tmp_path, monkeypatch, cache):
    assert computed(rules.get("adam")) == 2
    (tmp_path / "their_facts.py").write_text(MINE)
    info = tmp_path / "their_facts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-facts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[optlab.rules]\ntheirs = their_facts:MINE\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert computed("theirs") == 2
    assert not cache.exists()
    sys.modules.pop("their_facts", None)


BAD = {
    "unknown": ("momentun", "unknown rule 'momentun'; did you mean 'momentum'"),
    "no call": ("adam(", "cannot read 'adam\\('"),
    "option": ("adam(beta1=2)", "beta1 = 2 is out of range"),
    "no file": ("gone.py:MINE", "there is no file 'gone.py'"),
    "no name": (3, "3 is no rule"),
}


@pytest.mark.parametrize("case", BAD)
def test_errors_are_those_of_get_and_are_not_kept(case, cache):
    name, message = BAD[case]
    for _ in range(2):
        with pytest.raises(InputError, match=message):
            rules.facts_of(name, lambda rule: rule.label(), version="1")
    assert not cache.exists()


def test_a_file_that_fails_says_so(tmp_path):
    for text, message in (("MINE = (", "SyntaxError"), ("MINE = 3", "is a int, not a Rule"), ("\0", "SyntaxError|ValueError")):
        path = tmp_path / "bad.py"
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            rules.facts_of(f"{path}:MINE", lambda rule: rule.label(), version="1")
    path.write_text(MINE)
    with pytest.raises(UnknownNameError, match="did you mean 'MINE'"):
        rules.facts_of(f"{path}:MIME", lambda rule: rule.label(), version="1")


def test_facts_are_what_json_holds(cache):
    assert rules.facts_of("sgd", lambda rule: {"pair": (1, None)}, version="1") == {"pair": [1, None]}
    assert rules.facts_of(rules.get("sgd"), lambda rule: {"pair": (1, None)}, version="1") == {"pair": [1, None]}
    with pytest.raises(TypeError, match="JSON"):
        rules.facts_of("sgd", lambda rule: {"rule": rule}, version="2")
    (file,) = cache.iterdir()
    assert json.loads(file.read_text())["subject"][:3] == ["rule", "sgd", "1"]


@pytest.mark.parametrize("name", rules.names())
def test_the_files_of_a_rule(name):
    files = [path.stem for path in definition_files.built_in("optlab.rules", name)]
    parents = dict.fromkeys(MADE_OF_ADAM, "adam") | {"rmsprop_momentum": "rmsprop"}
    own = [name, parents[name]] if name in parents else [name]
    assert files == [*own, "__init__", "expressions", "symbols", "registry", "calls", "dialects", "libraries"]
