"""The spec of a report: every defect of a file is one line that names the file and the key."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optlab import rules
from optlab.errors import InputError
from optlab.experiments.spec import LineFit, Quadratics, Ravine, Regimes, ReportSpec, TableSection, parse_spec, read_spec

TABLES = {"quadratics": Quadratics, "regimes": Regimes, "line_fit": LineFit, "ravine": Ravine, "table": TableSection}

# text of the file, what the line must say beside the file's name
BAD = {
    "unknown table": ("[quadratic]\ndim = 3", r"unknown key 'quadratic'; did you mean 'quadratics'\?"),
    "unknown key": ("tittle = 'x'", r"unknown key 'tittle'; did you mean 'title'\?"),
    "unknown key, nothing near": ("zzz = 1", "unknown key 'zzz'; known keys: title, seed, .*rules"),
    "unknown nested key": ("[quadratics]\nstepss = 10", r"unknown key 'stepss' in \[quadratics\]; did you mean 'steps'\?"),
    "unknown nested key, nothing near": ("[ravine]\nzzz = 1", r"unknown key 'zzz' in \[ravine\]; known keys: kappa, steps"),
    "unknown key of the table": ("[table]\npath = 'a'\ntarget = 'b'\nbach = 3", r"unknown key 'bach' in \[table\]; did you mean 'batch'\?"),
    "missing key": ("[table]\ntarget = 'b'", r"key 'path' is missing in \[table\]"),
    "text for a number": ("[quadratics]\ndim = 'many'", r"dim = 'many' in \[quadratics\]: .*integer"),
    "number for text": ("title = 3", "title = 3: .*string"),
    "text for a list": ("rules = 'adam'", "rules = 'adam': .*list"),
    "number for a table": ("quadratics = 3", "quadratics = 3: "),
    "list for a table": ("[[quadratics]]\ndim = 3", "quadratics = "),
    "a rule that is no text": ("rules = ['sgd', 3]", "rules.* = 3|1 = 3 in .rules."),
    "half a step": ("[quadratics]\nsteps = 10.5", r"steps = 10.5 in \[quadratics\]: .*integer"),
    "no steps": ("[quadratics]\nsteps = 0", r"steps = 0 in \[quadratics\]: .*greater than or equal to 1"),
    "negative noise": ("[quadratics]\nnoise = -1", r"noise = -1.* in \[quadratics\]: .*greater than or equal to 0"),
    "infinite noise": ("[quadratics]\nnoise = inf", r"noise = inf in \[quadratics\]: .*finite"),
    "nan": ("[line_fit]\nalpha = nan", r"alpha = nan in \[line_fit\]: "),
    "zero learning rate": ("[line_fit]\nalpha = 0.0", r"alpha = 0.0 in \[line_fit\]: .*greater than 0"),
    "a condition number below one": ("[quadratics]\nkappas = [100, 0.5]", r"0.5 in \[quadratics.kappas\]: .*greater than or equal to 1"),
    "no condition numbers": ("[quadratics]\nkappas = []", r"kappas = \[\] in \[quadratics\]: .*at least 1"),
    "no rules": ("rules = []", r"rules = \[\]: .*at least 1"),
    "negative seed": ("seed = -1", "seed = -1: .*greater than or equal to 0"),
    "too few replicates": ("[regimes]\nreplicates = 2", r"replicates = 2 in \[regimes\]: .*greater than or equal to 3"),
    "true for a number": ("seed = 'true'", "seed = 'true': "),
    "not TOML": ("[quadratics\ndim = 3", "not valid TOML: .*line 1"),
    "a key twice": ("seed = 1\nseed = 2", "not valid TOML: "),
}  # fmt: skip


def one_line(error):
    text = str(error)
    assert "\n" not in text
    assert len(text) < 600
    return text


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_line_naming_file_and_key(case, tmp_path):
    text, message = BAD[case]
    path = tmp_path / "spec.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_spec(path)
    line = one_line(caught.value)
    assert line.startswith(f"{path}: ")
    assert re.search(message, line), line
    assert "validation error" not in line
    assert "pydantic" not in line


def test_files_that_cannot_be_read(tmp_path):
    latin = tmp_path / "latin.toml"
    latin.write_bytes("title = 'Größe'".encode("latin-1"))
    for path, message in (
        (tmp_path / "none.toml", "there is no spec file"),
        (tmp_path, "is a folder; name the TOML file in it"),
        (latin, "line 1: not UTF-8 text; save the file as UTF-8"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            read_spec(path)
        assert str(path) in one_line(caught.value)


def test_a_value_that_stands_twice_on_an_axis_is_refused():
    with pytest.raises(InputError, match=r"kappas holds 10\.0 twice; name each once"):
        parse_spec({"quadratics": {"kappas": [10, 100, 10.0]}})


def test_a_spectrum_that_does_not_exist_is_refused_before_any_work(tmp_path):
    """Named in the spec, so the line names the key."""
    with pytest.raises(InputError, match="spectrum"):
        parse_spec({"quadratics": {"spectrum": "logg"}})


def test_a_batch_that_the_fixed_table_cannot_fill_is_refused_before_any_work():
    with pytest.raises(InputError, match=r"table_rows|batch"):
        parse_spec({"line_fit": {"batch": 16, "table_rows": 10}})


def test_an_empty_spec_is_the_default_one(tmp_path):
    (tmp_path / "empty.toml").write_text("")
    spec = read_spec(tmp_path / "empty.toml")
    assert spec == ReportSpec() == parse_spec({})
    assert spec.table is None
    assert spec.quadratics.kappas == [100.0, 1000.0]
    assert spec.rules == ["sgd", "momentum", "nesterov", "ema_momentum", "rmsprop", "adam", "adamw"]
    assert set(spec.rules) < set(rules.names())


def test_without_a_file_the_example_table_is_part_of_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    spec = read_spec(None)
    assert spec.table is not None
    assert Path(spec.table.path).is_file()
    assert spec == ReportSpec(table=spec.table)


def test_values_are_read(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text("seed = 7\nrules = ['sgd']\n[quadratics]\nkappas = [10]\nrotation = 3\n[regimes]\nsteps = 200\n", encoding="utf-8")
    spec = read_spec(path)
    assert (spec.seed, spec.rules, spec.quadratics.kappas, spec.quadratics.rotation, spec.regimes.steps) == (7, ["sgd"], [10.0], 3, 200)


def test_paths_are_looked_for_beside_the_spec(tmp_path, monkeypatch):
    """From where the command runs first, then beside the spec; names of built-in rules stay as they are."""
    folder = tmp_path / "study"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("x,y\n1,2\n")
    (folder / "mine.py").write_text("")
    path = folder / "spec.toml"
    path.write_text("rules = ['sgd', 'mine.py:MINE', 'gone.py:MINE']\n[table]\npath = 'data/a.csv'\ntarget = 'y'\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    spec = read_spec(path)
    assert spec.rules == ["sgd", f"{folder / 'mine.py'}:MINE", "gone.py:MINE"]
    assert spec.table.path == str(folder / "data" / "a.csv")
    (elsewhere / "mine.py").write_text("")
    assert read_spec(path).rules[1] == "mine.py:MINE"
    monkeypatch.chdir(folder)
    assert read_spec("spec.toml").table.path == "data/a.csv"


def test_the_shipped_example_is_a_good_spec():
    spec = read_spec(Path(__file__).parents[2] / "examples" / "report.toml")
    assert spec.table is not None
    assert Path(spec.table.path).is_file()
    for name in spec.rules:
        rules.get(name)


def test_a_spec_that_was_read_is_frozen_and_writes_itself():
    spec = parse_spec({"seed": 3})
    with pytest.raises(ValueError, match="frozen"):
        spec.seed = 4
    assert ReportSpec.model_validate_json(spec.model_dump_json()) == spec


# --- anything at all ---

keys = st.one_of(
    st.sampled_from([*ReportSpec.model_fields, *(key for model in TABLES.values() for key in model.model_fields)]), st.text(max_size=6)
)
leaves = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(max_size=5),
    st.none(),
    st.integers(1, 100),
    st.sampled_from(["sgd", "log", "two_point"]),
)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8)
nested = st.dictionaries(
    keys,
    st.one_of(values, *(st.dictionaries(st.sampled_from(list(model.model_fields)), values, max_size=3) for model in TABLES.values())),
    max_size=4,
)


def refusal(attempt):
    """The line that refuses, or "" where the attempt gave a spec. Anything else that is raised fails the test."""
    try:
        assert isinstance(attempt(), ReportSpec)
    except InputError as error:
        return str(error)
    return ""


@given(nested)
def test_any_dict_is_a_spec_or_one_line(raw):
    line = refusal(lambda: parse_spec(raw))
    assert "\n" not in line
    assert not line or line.startswith("spec: ")


@given(st.sampled_from(list(TABLES)), st.data())
def test_any_value_of_any_key_is_a_spec_or_one_line_naming_the_key(table, data):
    key = data.draw(st.sampled_from(list(TABLES[table].model_fields)))
    raw = {table: {"path": "a", "target": "b"} if table == "table" else {}}
    raw[table][key] = data.draw(values)
    line = refusal(lambda: parse_spec(raw))
    assert "\n" not in line
    assert not line or (key in line and table in line)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_spec_or_one_line_naming_the_file(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    line = refusal(lambda: read_spec(path))
    assert "\n" not in line
    assert not line or str(path) in line
