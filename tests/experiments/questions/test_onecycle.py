"""1-cycle: the step schedule and the crossings by hand, made-up runs of known outcome, a small real one, what is printed."""

import numpy as np
import pytest
import xarray as xr

import optlab as ol
from optlab import data
from optlab.errors import InputError
from optlab.experiments.image_runs import Asked, descended
from optlab.experiments.questions import onecycle
from optlab.experiments.questions.onecycle import crossing, reached
from optlab.experiments.step_decay import STEP_DECAY
from optlab.reporting.figures.questions.onecycle import draw

SMALL = {"data": "synthetic(training=260, test=10, size=8)", "training": 200, "validation": 60, "batch": 20, "model": "mlp(hidden=[8])"}
KEYS = SMALL | {"epochs": 1, "multiples": [1, 2], "rates": [0.01, 0.1], "seeds": 2}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    told = []
    result = ol.experiments.onecycle(
        KEYS, store=tmp_path_factory.mktemp("store"), progress=lambda done, total, what: told.append((done, total))
    )
    return result.assign_attrs(told=told[0])


def made_up(law, **keys):
    """A result whose every run has the accuracy law(schedule, epochs, alpha, seed)."""

    def run(cells):
        out = []
        for cell in cells:
            spec = cell.spec
            name = spec["schedule"].partition("(")[0]
            values = [law(name, mark, spec["alpha"], spec["seed"]) for mark in spec["marks"]]
            out.append(xr.Dataset({"mark_accuracy": ("mark", values), "diverged": int(np.isnan(values[-1]))}, {"mark": spec["marks"]}))
        return out

    experiment = onecycle.EXPERIMENT
    spec = experiment.read(SMALL | {"epochs": 4, "rates": [0.1, 0.3, 1.0]} | keys)
    return experiment.measure(spec, run)


def jitter(seed):
    """Small, and the same for every schedule of a seed."""
    return 0.01 * np.sin(seed)


def slow(name, epochs, alpha, seed):
    """1-cycle has 0.8 after 4 epochs; cosine comes to it at 16, steps at 4, a constant rate never; 0.3 is the best peak."""
    level = {"one_cycle": 0.8, "cosine": 0.8 + 0.1 * np.log(epochs / 16), "step_decay": 0.8 + 0.1 * np.log(epochs / 4), "constant": 0.5}
    return level[name] - 0.05 * abs(np.log(alpha / 0.3)) + jitter(seed)


def test_the_step_schedule():
    rates = [float(STEP_DECAY.with_(peak=2, steps=7).at(t)) for t in range(8)]
    assert rates == pytest.approx([2] * 4 + [0.2] * 2 + [0.02] * 2)  # half of 7 is 3.5, three quarters 5.25


def test_crossings_by_hand():
    assert crossing([1, 2, 8], np.array([-0.3, -0.1, 0.1])) == pytest.approx(4.0)  # half way from 2 to 8 in the logarithm
    assert crossing([1, 2], np.array([0.0, -1.0])) == 1.0
    assert crossing([1, 2], np.array([-1.0, -0.5])) == np.inf
    assert np.isnan(crossing([1, 2], np.array([np.nan, 1.0])))
    band = np.array([[-0.2, -0.3, 0.1], [0.2, 0.1, 0.3]])
    value, low, high = reached([1, 4], band)
    assert low == 0
    assert value == pytest.approx(2.0)
    assert high == pytest.approx(4**0.75)


def test_made_up_runs_give_their_ratios():
    result = made_up(slow)
    assert result.alpha.values.tolist() == [[0.3] * 4] * 3
    assert result.ratio.values == pytest.approx([4.0, 1.0, np.inf], abs=0.1)  # linear between 2 and 5 in the logarithm: exact here
    assert float(result.ratio_low.sel(schedule="cosine")) == pytest.approx(4.0, abs=0.1)  # paired: the jitter of a seed falls out
    said = onecycle.findings(result)
    assert any(line.startswith("cosine needs 4 times as many") for line in said)
    assert any(line.startswith("constant does not come to it within 10 times") for line in said)
    assert not any("end of the grid" in line for line in said)
    assert "After 8 epochs step is best" in " ".join(said)
    assert [row[0] for row in onecycle.tables(result)[1].rows] == ["cosine", "step", "constant"]


def test_what_diverged_has_learned_nothing():
    result = made_up(lambda name, epochs, alpha, seed: np.nan if alpha > 0.5 else slow(name, epochs, 0.3, seed) + alpha)
    assert result.alpha.values.tolist() == [[0.3] * 4] * 3
    assert (result.searched.sel(rate=1.0) == 0).all()
    lost = made_up(lambda *given: np.nan)
    assert (lost.diverged == 4).all()
    assert (lost.accuracy == 0).all()
    assert "The best peak is an end of the grid" in onecycle.findings(lost)[-1]


def test_a_small_real_run(found):
    """The cells are those that were told; a constant rate's shorter run is the beginning of its longer one."""
    experiment = onecycle.EXPERIMENT
    assert found.attrs["cells_computed"] == experiment.count(experiment.read(KEYS)) == found.attrs["told"][1]
    assert ((found.accuracy >= 0) & (found.accuracy <= 1)).all()
    alpha = float(found.rate[0])
    short = Asked("mlp(hidden=[8])", "momentum", "constant", alpha, 1, 0, 0, 200, 60, 20, augment=True, marks=(1,))
    again = descended(data.get(SMALL["data"]), short)
    assert float(again.mark_accuracy[0]) == float(found.searched.sel(schedule="constant", multiple=1, rate=alpha))
    assert float(again.mark_accuracy[0]) == float(again.validation_accuracy)


def test_the_figure_shows_every_schedule(found):
    (ax,) = draw(found).axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["1-cycle, 1 epochs", "cosine", "step", "constant"]


def test_images_that_are_not_there_are_said(tmp_path):
    with pytest.raises(InputError, match=r"cifar10|CIFAR-10"):
        ol.experiments.onecycle(KEYS, data="cifar10", data_dir=str(tmp_path), store=tmp_path)
