"""Every kind of cell that a store can hold has its engine named, so that cleaning knows which cells nothing reads any more."""

import ast
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import optlab
from optlab import problems, rules
from optlab.claims.cosine_annealing import peak_cell
from optlab.data.tables import Table, read_table
from optlab.experiments.advice_cell import advice_cell
from optlab.experiments.grid import Setting, _Bench
from optlab.experiments.grid_spec import read_grid
from optlab.experiments.image_runs import read_images, run_cell
from optlab.experiments.kinds import ENGINES, outdated, todays_engine
from optlab.experiments.minima_line import line_cell
from optlab.experiments.norm_training import cell as norm_cell
from optlab.experiments.questions import attention, batch, condition, minima
from optlab.experiments.runs import find, rubbish, runs
from optlab.experiments.sharpness import edge_cell
from optlab.experiments.store import Store
from optlab.experiments.sweep import simulation_cell

ROOT = Path(optlab.__file__).parent


def simulated(exact):
    return simulation_cell("x", rules.get("sgd"), problems.quadratic(dim=2), exact=exact, schedule=0.1, steps=3)


def bench():
    spec = read_grid({"data": "synthetic(training=40, test=10, size=8)", "models": ["mlp(hidden=2)"], "rules": ["sgd"], "batch": 10})
    from optlab import data

    return _Bench(spec, data.get(spec.data), None, None, 1, None, None, "cpu"), Setting("mlp(hidden=2)", "sgd", "cosine", 0.1)


def grid_test():
    made, setting = bench()
    caught = []
    made.run = lambda cells: caught.extend(cells) or [xr.Dataset({"loss": 0.0, "accuracy": 0.0})]
    made.test(setting, 0, xr.Dataset())
    return caught[0]


def of_images(which):
    spec = minima.MinimaSpec(data="synthetic(training=40, test=10, size=8)", training=20, validation=10)
    images, source = read_images(spec)
    asked = [minima.asked_of(spec, 8, seed) for seed in (0, 1)]
    ends = tuple(run_cell("end", images, source, one) for one in asked)
    weights = (xr.Dataset({"parameters": ("parameter", np.zeros(3))}),) * 2
    return ends[0] if which == "images" else line_cell("line", images, source, ends, weights, asked[0], 3)


def of_a_table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x,y\n1,2\n2,3\n3,5\n")
    table = read_table(path, target="y")
    assert isinstance(table, Table)
    return advice_cell(table, batch=1)


MADE = {
    "simulate": lambda _: simulated(False),
    "predict": lambda _: simulated(True),
    "tuned": lambda _: batch._cell("x", batch.tuned, {"batch": 1}),
    "raced": lambda _: batch._cell("x", batch.raced, {"batch": 1}),
    "first passage": lambda _: condition.cell(condition.ConditionSpec(), "sgd", "minimax", "aligned", 0.0, 10.0),
    "training": lambda _: bench()[0].cell(bench()[1], 0, 1),
    "test": lambda _: grid_test(),
    "images": lambda _: of_images("images"),
    "line": lambda _: of_images("line"),
    "norm_training": lambda _: norm_cell("mlp(hidden=2)", "batch", 0.1, batch=2, steps=1, seed=0, training=10, test=10),
    "edge": lambda _: edge_cell("sgd", 0.1, "mse", hidden=[2], samples=10, size=8, steps=1, every=1, seed=0, shrink=1.0),
    "encoder": lambda _: attention.cell(attention.AttentionSpec(), "post", 10, 0.01),
    "advise": of_a_table,
    "best_peak": lambda _: peak_cell("cosine", 100),
}


def written():
    """Every kind that the source gives a cell: what stands under "kind" in a dict of the modules that make cells."""
    found = set()
    for path in (path for room in ("experiments", "claims") for path in sorted((ROOT / room).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            pairs = zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ()
            for key, value in pairs:
                if isinstance(key, ast.Constant) and key.value == "kind":
                    text = value.value if isinstance(value, ast.Constant) else ast.unparse(value)
                    found.add((path.name, text))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "spec_head":
                found.add((path.name, node.args[0].value if isinstance(node.args[0], ast.Constant) else ast.unparse(node.args[0])))
    return found


#: What stands under "kind" and is no text: functions whose names are kinds, or the labels of a dimension.
NAMED_BY_FUNCTION = {("sweep.py", "function.__name__"): {"simulate", "predict"}, ("batch.py", "function.__name__"): {"tuned", "raced"}}
LABELS = {
    ("minima_line.py", "list(KINDS)"), ("sparse.py", "list(spec.kinds)"), ("minima.py", "list(KINDS)"), ("kinds.py", "kind"),
    ("rare_features.py", "['rare', 'scaled']"),
}  # fmt: skip


def test_every_kind_in_the_source_is_registered():
    found = written()
    assert LABELS | set(NAMED_BY_FUNCTION) <= found
    kinds = {text for _, text in found - LABELS - set(NAMED_BY_FUNCTION)}.union(*NAMED_BY_FUNCTION.values())
    assert kinds == set(ENGINES) == set(MADE)


@pytest.mark.parametrize("kind", sorted(ENGINES))
def test_a_new_cell_is_of_todays_engine_and_a_changed_one_is_cleaned_away(kind, tmp_path):
    spec = MADE[kind](tmp_path).spec
    assert spec["kind"] == kind
    assert spec.get("engine", todays_engine(kind)) == todays_engine(kind)
    store = Store(tmp_path / "store")
    store.put(spec, xr.Dataset({"x": 1.0}))
    changed = {"of": spec["of"] | {"engine": "old"}} if kind == "test" else {"engine": "old"}
    store.put(spec | changed, xr.Dataset({"x": 1.0}))
    today = find(store, store.path(spec).stem)
    assert (today.kind, today.outdated) == (kind, False)
    assert all(isinstance(text, str) for run in runs(store) for text in (run.rule, run.problem, run.steps))
    assert [item.path for item in rubbish(store, outdated=True)] == [store.path(spec | changed)]


def test_a_line_between_runs_of_another_engine_is_outdated():
    spec = of_images("line").spec
    assert not outdated(spec)
    assert outdated(spec | {"of": [spec["of"][0], spec["of"][1] | {"engine": "old"}]})
    assert todays_engine("of one's own") is None
