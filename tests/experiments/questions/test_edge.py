"""The edge of stability: cells, summaries against NumPy, what is printed."""

import numpy as np
import pytest

import optlab as ol
from optlab.experiments.questions import edge
from optlab.reporting.figures.questions.edge import draw

SMALL = {
    "rates": {"sgd": [0.1, 0.3], "adam": [0.01]}, "softmax_rates": {"momentum": [0.1]}, "hidden": [6], "samples": 20, "steps": 60,
    "every": 10, "seeds": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    result = ol.experiments.edge(SMALL, store=tmp_path_factory.mktemp("store"))
    assert result.attrs["cells_computed"] == edge.count(edge.EdgeSpec(**SMALL)) == 8
    return result


def test_limits_and_plateaus(found):
    np.testing.assert_allclose(found.limit, [20, 2 / 0.3, 3800, 38], rtol=1e-9)
    late = found.ratio.values[..., 3:]  # steps 40 to 60
    np.testing.assert_allclose(found.plateau, np.nanmedian(late, -1))
    np.testing.assert_allclose(found["mean"], np.nanmedian(late, -1).mean(1))
    np.testing.assert_allclose(found.peak, np.nanmax(found.ratio, -1))
    assert (found.loss[..., -1] < found.loss[..., 0]).all()


def test_what_became_of_it():
    plateau, reached = np.array([1.0, 0.5, 0.5, 1.5, np.nan]), np.array([50.0, 10.0, np.nan, 10.0, np.nan])
    words = edge.outcomes(plateau, reached, np.array([-1, -1, -1, -1, 7]))
    assert words.tolist() == ["at the edge", "left", "below", "above", "diverged"]
    record = np.array([10, 20, 30])
    assert edge.first(record, np.array([0.5, np.nan, 0.95])) == 30
    assert np.isnan(edge.first(record, np.array([0.5, np.nan, 0.6])))
    assert np.isnan(edge.summary(np.array([np.nan]))).all()


def test_findings_follow_the_numbers(found):
    changed = found.copy(deep=True)
    changed["outcome"] = (found.outcome.dims, np.full(found.outcome.shape, "at the edge"))
    changed["plateau"][:] = 1.01
    said = edge.findings(changed)
    assert said[0].startswith("sgd, squared error: 4 of 4 runs end at the edge, with a sharpness of 1.010 of the limit")
    changed["outcome"] = (found.outcome.dims, np.full(found.outcome.shape, "below"))
    said = " ".join(edge.findings(changed))
    assert "sgd, squared error: 0 of 4 runs end at the edge." in said
    assert "momentum at 0.1, softmax cross entropy: below" in said
    assert "sharpnesses are counted" in said


def test_tables_and_figure(found):
    (table,) = edge.tables(found)
    assert [row[:3] for row in table.rows] == [["squared", "sgd", "0.1"], ["squared", "sgd", "0.3"], ["squared", "adam", "0.01"],
                                              ["softmax", "momentum", "0.1"]]  # fmt: skip
    assert [ax.get_title() for ax in draw(found).axes] == ["sgd, squared error", "adam, squared error", "momentum, softmax"]


def test_specs():
    experiment = ol.experiments.edge
    usual, full = experiment.read(), experiment.read(preset="full")
    assert experiment.count(usual) < experiment.count(full)
    assert experiment.read("examples/edge.toml").softmax_rates == {"sgd": [0.4]}
    with pytest.raises(ol.errors.InputError, match="samples"):
        experiment.read(samples=0)
