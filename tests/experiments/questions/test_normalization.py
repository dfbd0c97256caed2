"""The normalization experiment: its cells, its numbers against those of its cells, what is printed."""

import numpy as np
import pytest
from scipy import stats

import optlab as ol
from optlab.experiments.questions import normalization
from optlab.reporting.figures.questions.normalization import draw

SMALL = {
    "model": "mlp(hidden=[8, 8])", "norms": ["none", "batch"], "rates": [0.1, 100.0], "refine": 1, "seeds": 2, "steps": 40, "training": 60,
    "test": 20, "size": 4, "batches": [1], "small_steps": 10, "batch": 16,
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    told = []
    result = ol.experiments.normalization(SMALL, store=tmp_path_factory.mktemp("store"), progress=lambda *args: told.append(args))
    assert result.attrs["cells_computed"] <= normalization.count(normalization.NormalizationSpec(**SMALL))
    assert told[0][0] == 0
    return result


def test_the_numbers_are_those_of_the_runs(found):
    row = found.sel(norm="none")
    assert np.isnan(row.end_loss.sel(rate=100.0)).all()  # a rate of 100 diverges without a norm
    assert float(row.best_rate) == 0.1
    values = row.accuracy.sel(rate=0.1).values
    low, high = stats.t.interval(0.99, 1, values.mean(), stats.sem(values)) if values.std() else (values.mean(), values.mean())
    assert (float(row.best_accuracy_low), float(row.best_accuracy_high)) == pytest.approx((low, high))
    assert (found.limit_above > found.limit_below).where(found.limit_below.notnull(), True).all()
    assert found["rank"].sizes == {"norm": 2, "end": 2, "layer": 2}
    assert float(found.small.sel(norm="batch", batch=1)) == pytest.approx(0.1)


def test_findings_follow_the_numbers(found):
    changed = found.copy(deep=True)

    def put(norm, name, value, low, high):
        for end, number in (("", value), ("_low", low), ("_high", high)):
            changed[name + end].loc[{"norm": norm}] = number

    put("batch", "gain", 3.0, 2.0, 4.0)
    put("none", "best_accuracy", 0.3, 0.29, 0.31)
    put("batch", "best_accuracy", 0.5, 0.4, 0.6)
    put("none", "small", 0.4, 0.3, 0.5)
    put("batch", "small", 0.1, 0.1, 0.1)
    said = " ".join(normalization.findings(changed))
    assert "batch: the largest stable learning rate is 3 [2, 4] times that without a norm: larger." in said
    assert "batch 50%" in said
    assert "(more)" in said
    assert "At batch 1 batch normalization has 10% right; above its interval: no norm; below it: nothing." in said
    put("batch", "gain", 0.3, 0.2, 0.4)
    put("batch", "best_accuracy", 0.2, 0.1, 0.25)
    said = " ".join(normalization.findings(changed))
    assert "0.3 [0.2, 0.4] times that without a norm: smaller." in said
    assert "(fewer)" in said
    put("batch", "gain", 1.0, 0.5, 2.0)
    assert "not told apart" in normalization.findings(changed)[0]


def test_tables_and_figure(found):
    limits, spectra, small = normalization.tables(found)
    assert [row[0] for row in limits.rows] == ["none", "batch"]
    assert len(spectra.rows) == 4
    assert [row[:2] for row in small.rows] == [["none", "1"], ["batch", "1"]]
    assert [ax.get_xlabel() for ax in draw(found).axes] == ["learning rate", "layer", "images in a batch"]


def test_specs():
    experiment = ol.experiments.normalization
    usual, full = experiment.read(), experiment.read(preset="full")
    assert experiment.count(usual) < experiment.count(full)
    assert experiment.read("examples/normalization.toml").rule == "momentum"
    with pytest.raises(ol.errors.InputError, match="norms"):
        experiment.read(norms=["group"])
