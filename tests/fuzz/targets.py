"""What is fuzzed: for each reader, how its input is drawn and what reads it."""

# ruff: noqa: E501 (a row is a line)

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from hypothesis import strategies as st

import optlab as ol
from optlab.cli.claims import read_numbers
from optlab.cli.experiment import read_key
from optlab.cli.values import axes_of, numbers, size_of
from optlab.data.pickles import read_pickle
from optlab.data.tables import read_table
from optlab.ensemble.checkpoint import Checkpoint
from optlab.errors import OptlabError, UnknownNameError
from optlab.experiments.catalog import QUESTIONS
from optlab.experiments.grid_spec import GridSpec, read_grid
from optlab.experiments.runs import find, load, runs
from optlab.experiments.spec import ReportSpec, parse_spec, parse_toml
from optlab.experiments.store import Store
from optlab.training.checkpoint import Checkpoint as TrainingCheckpoint
from tests.bad_inputs import TEXTS

ROOT = Path(ol.__file__).parents[1]
EXPERIMENTS = {name: import_module(f"optlab.experiments.questions.{name}").EXPERIMENT for name in QUESTIONS}
SPECS: dict[str, Any] = {"report": ReportSpec, "grid": GridSpec} | {name: each.spec for name, each in EXPERIMENTS.items()}
READ: dict[str, Callable[[Any], Any]] = {"report": parse_spec, "grid": read_grid} | {name: each.read for name, each in EXPERIMENTS.items()}


def one_line(error: OptlabError) -> str:
    """The message, which must be one line."""
    assert "\n" not in str(error), str(error)
    return str(error)


# --- mutations of what is sound ---


@st.composite
def mutated(draw: Any, sound: bytes) -> bytes:
    """The bytes with a few of them changed, cut out, doubled or put in."""
    content = bytearray(sound)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        kind = draw(st.sampled_from(("set", "cut", "double", "put", "end")))
        if kind == "set" and content:
            content[place] = draw(st.integers(0, 255))
        elif kind == "cut":
            del content[place : place + draw(st.integers(1, 64))]
        elif kind == "double":
            content[place:place] = content[place : place + draw(st.integers(1, 64))]
        elif kind == "put":
            content[place:place] = draw(st.binary(min_size=1, max_size=8))
        else:
            del content[place:]
    return bytes(content)


def mutated_text(*sound: str) -> st.SearchStrategy[str]:
    return st.sampled_from(sound).flatmap(lambda text: mutated(text.encode())).map(lambda content: content.decode("utf-8", "replace"))


# --- specs ---

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-3, 3000), st.floats(), st.text(max_size=8), st.dates(),
    st.sampled_from(("sgd", "adam", "adma", "log", "mlp", "constant", "inf", "quadratic(dim=2)")),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3), max_leaves=6
)


def spec_of(name: str) -> st.SearchStrategy[dict[Any, Any]]:
    """A dict with keys of this spec, misspelt ones, and any values."""
    keys = list(SPECS[name].model_fields)
    inner = [key for each in SPECS[name].model_fields.values() for key in getattr(each.default, "model_fields_set", ())] or keys
    near = st.sampled_from(keys).map(lambda key: key[:-1]) | st.integers(0, 3) | st.text(max_size=5)
    nested = st.dictionaries(st.sampled_from(inner) | near, VALUES, max_size=3)
    return st.dictionaries(st.sampled_from(keys) | near, VALUES | nested | st.lists(nested, max_size=2), max_size=4)


def read_dict(case: tuple[str, dict[Any, Any]]) -> None:
    name, raw = case
    READ[name](raw)


TOMLS = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples").glob("*.toml"))]


def read_text(case: tuple[str, str]) -> None:
    name, text = case
    READ[name](parse_toml(text, "spec.toml"))


# --- names, calls, formulas ---

CALLS = ("adam(beta1=0.5)", "momentum(beta=9/10)", "cosine(peak=0.1, steps=1000)", "quadratic(condition_number=100, dim=5, noise_law=student_t(dof=5))",
         "symbolic('x**2 + 10*y**2', noise=0.1)", "saddle(gamma=0.5)", "sgd(", "rmsprop(eps=[1, {2: 3}], x=...)", "mine.py:MINE", "adam(beta1=1e-5j)",
         "least_squares(rows=[[1, 2], [3, 4]], targets=[1, 2])", "quadratic(spectrum=[1.0, 0.5], theta0=[1, 2])", "line_fit(label_noise=True)")  # fmt: skip
FORMULAS = ("sqrt(kappa) - 1", "Piecewise((x, x > 0), (0, True))", "Max(Abs(a), 1/2)**(3/2)", "Interval.Ropen(0, 2*(beta + 1)/lam)", "2**-3 & 1",
            "Matrix([[1, x], [y, 2]])", "CRootOf(x**3 - x - 1, 0)", "harmonic(5)*zeta(3)", "floor(t/2)*ceiling(3.7)", "x.__class__", "exp(log(I*x))")  # fmt: skip
HOSTILE = ("__import__('os').system('true')", "open('x', 'w')", "(lambda: 0)()", "[x for x in ().__class__.__bases__]", "f'{x}'", "eval('1')", "x := 3",
           "exec(open('x').read())", "Symbol('x')", "Add(*[1, 2])", "Integer('1')", "Float('nan')", "Rational(1, 0)", "0**-1", "Max()", "Poly(1)")  # fmt: skip


def read_call(text: str) -> None:
    for get in (ol.rules.get, ol.schedules.get, ol.problems.get):
        try:
            get(text)
        except UnknownNameError as error:
            one_line(error)


def read_formula(text: str) -> None:
    with watched():
        ol.sympify(text)


def read_options(text: str) -> None:
    for read in (read_numbers, read_key, size_of, lambda text: axes_of([text]), lambda text: numbers(text, "--reach")):
        try:
            read(text)
        except OptlabError as error:
            one_line(error)


_touched: list[str] = []
_watching = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event.startswith(("os.", "subprocess.", "socket.", "shutil.", "ctypes.dlopen", "urllib.")) and event != "os.listdir":
        _touched.append(f"{event} {arguments}")


@cache
def _hooked() -> None:
    sys.addaudithook(_hook)


@contextmanager
def watched():
    """Fail if what runs here starts a program, opens a connection or changes a file."""
    global _watching
    _hooked()
    _touched.clear()
    _watching = True
    try:
        yield
    finally:
        _watching = False
        assert not _touched, _touched


# --- files ---


@cache
def cell() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        data = {"x": ("k", np.arange(8.0)), "n": ("k", np.arange(8)), "name": ("m", ["a", "bc"])}
        store = Store(folder)
        store.put({"kind": "demo", "rule": "sgd"}, xr.Dataset(data, {"k": np.arange(8)}, {"about": "a cell"}))
        return store.files()[0].read_bytes()


def read_cell_file(content: bytes) -> None:
    """A changed cell is found out, or reads as it was written (a byte that means nothing)."""
    with tempfile.TemporaryDirectory() as folder:
        told: list[str] = []
        store = Store(folder, told.append)
        path = store.path({"kind": "demo", "rule": "sgd"})
        path.parent.mkdir()
        path.write_bytes(content)
        for run in runs(store):
            load(store, find(store, run.id[:5]))
        store.check(path)
        found = store.get({"kind": "demo", "rule": "sgd"})
        assert found is None or found.x.values.tolist() == list(range(8))
        assert all("\n" not in line for line in told)


@cache
def state() -> tuple[bytes, bytes]:
    """A checkpoint of an ensemble and one of training."""
    import io

    buffer = io.BytesIO()
    np.savez(buffer, identity=np.array("another"), done=np.arange(3))
    return buffer.getvalue(), buffer.getvalue() + bytes(32)


def read_checkpoints(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part"
        path.write_bytes(content)
        for resume in (Checkpoint(path, []).resume, TrainingCheckpoint(path, {}).load):
            try:
                resume()
            except OptlabError as error:
                one_line(error)


@cache
def batch() -> bytes:
    import pickle

    return pickle.dumps({b"labels": list(range(10)), b"data": np.zeros((10, 12), np.uint8)}, 2)


def _in_file(read: Callable[[Path], Any]) -> Callable[[bytes], None]:
    def of(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            path.write_bytes(content)
            with watched_reading(path):
                read(path)

    return of


@contextmanager
def watched_reading(path: Path):
    with watched():
        yield


NAMES = st.sampled_from(sorted(SPECS))
TARGETS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]] = {
    "spec as a dict": (NAMES.flatmap(lambda name: st.tuples(st.just(name), spec_of(name))), read_dict),
    "spec as TOML": (st.tuples(NAMES, mutated_text(*TOMLS, *(text for name, text in TEXTS.items() if name.endswith(".toml"))) | st.text()), read_text),
    "CSV table": (st.sampled_from([t for n, t in TEXTS.items() if n.endswith(".csv")]).flatmap(lambda text: mutated(text.encode())) | st.binary(),
                  _in_file(lambda path: read_table(path, "z", drop_missing=True))),
    "call": (mutated_text(*CALLS) | st.text(), read_call),
    "formula": (mutated_text(*FORMULAS, *HOSTILE) | st.text() | st.sampled_from(HOSTILE), read_formula),
    "option": (mutated_text("1-3,11", "kappas=[10, 100]", "500MB", "alpha=0.01,0.1", "0.1,0.01") | st.text(), read_options),
    "cell": (st.deferred(lambda: mutated(cell())), read_cell_file),
    "checkpoint": (st.deferred(lambda: st.sampled_from(state()).flatmap(mutated)), read_checkpoints),
    "pickle": (st.deferred(lambda: mutated(batch())), _in_file(read_pickle)),
}  # fmt: skip
