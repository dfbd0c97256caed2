"""Schedules: losses against a plain recursion, best peaks, prediction beside measurement, what is printed."""

from typing import get_args

import numpy as np
import pytest

import optlab as ol
from optlab.ensemble.budget import FAMILIES
from optlab.experiments.questions import schedules
from optlab.experiments.questions.schedules import ScheduleName, tolerance
from optlab.reporting.figures.questions.schedules import draw

KEYS = {"schedules": ["constant", "inverse_sqrt", "cosine"], "peaks": [0.03, 0.3, 3.0], "steps": 60, "dim": 3, "condition_number": 10}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return ol.experiments.schedules(KEYS, rules=["sgd", "rmsprop"], trajectories=2000, store=tmp_path_factory.mktemp("store"))


def expected(rates):
    """E f of SGD on f = 1/2 sum h theta^2 from (1, 1, 1), noise variance 1/16, by the recursion of mean and variance."""
    h, mean, variance = np.array([0.1, 10**-0.5, 1.0]), np.ones(3), np.zeros(3)
    for a in rates:
        mean, variance = (1 - a * h) * mean, (1 - a * h) ** 2 * variance + a**2 / 16
    return float(h @ (mean**2 + variance) / 2)


def test_the_prediction_is_the_plain_recursion(found):
    t = np.arange(60)
    rates = {"constant": 0.3 + 0 * t, "inverse_sqrt": 0.3 / np.sqrt(t + 1), "cosine": 0.3 * (1 + np.cos(np.pi * t / 60)) / 2}
    for name, rate in rates.items():
        assert float(found.predicted.sel(rule="sgd", schedule=name, peak=0.3)) == pytest.approx(expected(rate), rel=1e-12)


def test_measurement_agrees_with_prediction(found):
    """At a false-alarm probability of 1e-9 for all points together (``agreement``)."""
    assert (found.agreement.sel(rule="sgd") == "agrees").all()
    assert (found.agreement.sel(rule="rmsprop") == "").all()
    assert found.predicted.sel(rule="rmsprop").isnull().all()


def test_no_constant_rate_does_better_than_the_best(found):
    best = found.sel(rule="sgd", schedule="constant")
    others = [expected(np.full(60, a)) for a in np.geomspace(1e-3, 1.9, 400)]
    assert float(best.best_predicted) <= min(others)
    assert float(best.best_predicted) == pytest.approx(min(others), rel=1e-3)


def test_the_adaptive_rule_s_best_is_the_grid_s(found):
    row = found.sel(rule="rmsprop", schedule="cosine")
    assert float(row.best_loss) == float(row.loss.min("peak"))
    assert float(row.best_peak) == found.peak.values[int(np.argmin(row.loss.values))]


def test_what_blows_up_is_said(found):
    assert found.outcome.sel(rule="sgd", schedule="constant", peak=3.0).item() == "diverged"  # 3 > 2/L
    assert found.outcome.sel(rule="sgd", schedule="constant", peak=0.3).item() == "lower"
    assert schedules.tables(found)[0].rows[0][-1] == "1"


def test_tolerance():
    peaks = np.array([0.01, 0.1, 1.0, 10.0])
    assert tolerance(peaks, np.array([1.0, 1.0, 1.0, 1.0])) == pytest.approx(3.0)
    assert tolerance(peaks, np.array([16.0, 4.0, 1.0, np.nan])) == pytest.approx(0.5, abs=0.01)  # half a decade below, nothing above


def test_every_family_can_be_asked_for():
    assert set(get_args(ScheduleName)) == set(FAMILIES)


def test_findings_follow_the_numbers(found):
    said = schedules.findings(found)
    lowest = str(found.schedule.values[int(np.argmin(found.best_predicted.sel(rule="sgd").values))])
    assert said[0].startswith(f"sgd ends lowest under {lowest}")
    assert "agree at 9 of 9 peaks" in said[-1]
    swapped = found.copy(deep=True)
    swapped["best_predicted"].loc["sgd"] = found.best_predicted.sel(rule="sgd").values[::-1]
    assert not schedules.findings(swapped)[0].startswith(f"sgd ends lowest under {lowest}")
    swapped["agreement"].loc["sgd", "cosine"] = "differs"
    assert "agree at 6 of 9 peaks" in schedules.findings(swapped)[-1]


def test_the_figure_has_a_panel_per_rule(found):
    figure = draw(found)
    assert [ax.get_title() for ax in figure.axes] == ["sgd", "rmsprop"]
    assert {"constant", "cosine", "exact", "best peak"} <= {text.get_text() for text in figure.axes[-1].get_legend().get_texts()}
