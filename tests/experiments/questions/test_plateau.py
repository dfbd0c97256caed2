"""The plateau: times against plain recursions, exponents, the choice of the learning rate, what is printed."""

import math

import numpy as np
import pytest

import optlab as ol
from optlab import rules
from optlab.experiments.escape import scale_at_rest, steady_step
from optlab.experiments.questions import plateau
from optlab.reporting.figures.questions.plateau import draw


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    keys = {"rules": ["sgd", "rmsprop"], "starts": [3.0, 3.5, 4.0], "alphas": [0.1, 1.0, 3.0], "steps": 3000, "trajectories": 64}
    return ol.experiments.plateau(keys, store=tmp_path_factory.mktemp("store"))


def first_passage(rule, x, alpha, steps=3000):
    """A loop by hand, without noise: the first step with 1 - exp(-x^2/2) <= 1/2; None if there is none."""
    v = 0.0
    for step in range(steps + 1):
        if 1 - math.exp(-x * x / 2) <= 0.5:
            return step
        g = x * math.exp(-x * x / 2)
        v = 0.9 * v + 0.1 * g * g
        x -= alpha * g / (math.sqrt(v + 1e-8) if rule == "rmsprop" else 1)
    return None


def test_times_by_plain_loops(found):
    for rule in ("sgd", "rmsprop"):
        for start in (3.0, 3.5, 4.0):
            for alpha in (0.1, 1.0):
                at = found.escape_median.sel(rule=rule, noise=0.0, start=start, alpha=alpha).item()
                assert at == (first_passage(rule, start, alpha) or pytest.approx(float("nan"), nan_ok=True))


def test_the_learning_rate_is_the_fastest_that_settles(found):
    """SGD at 3 is quicker and never settles: the curvature of the well is 1, and 3 > 2; RMSProp at 1 swings by 1/2 for ever."""
    assert found.alpha_best.sel(noise=0.0).values.tolist() == [1.0, 0.1]
    assert found.outcome.sel(rule="sgd", noise=0.0, start=3.0, alpha=3.0).item() == "left, not settled"
    assert found.outcome.sel(rule="rmsprop", noise=0.0, start=3.0, alpha=1.0).item() == "left, not settled"


def test_the_steady_step(found):
    np.testing.assert_allclose(found.predicted.sel(rule="sgd", noise=0.0), found.best_median.sel(rule="sgd", noise=0.0), rtol=0.15)
    assert np.isnan(found.predicted.sel(noise=0.01)).all()
    assert float(steady_step(rules.get("momentum"))(0.2)) == pytest.approx(2.0)  # g/(1 - 0.9)
    assert float(steady_step(rules.get("lion"))(0.2)) == 1.0
    assert float(steady_step(rules.get("adamax"))(0.2)) == pytest.approx(1.0, rel=1e-6)  # divided by the largest gradient, not its root
    assert steady_step(rules.get("adagrad")) is None
    assert scale_at_rest(rules.get("adabelief")) is None


def test_exponents_tell_proportional_steps_from_normalized_ones(found):
    quiet = found.sel(noise=0.0)
    assert 0.8 < float(quiet.exponent.sel(rule="sgd")) < 1
    assert float(quiet.exponent.sel(rule="rmsprop")) < 0.2
    assert (quiet.exponent_low <= quiet.exponent).all()
    assert (quiet.exponent <= quiet.exponent_high).all()


def test_findings_follow_the_numbers(found):
    said = plateau.findings(found)
    assert "every adaptive rule leaves before every linear one: rmsprop takes" in said[1]
    swapped = found.copy(deep=True)
    for name in ("best_median", "exponent"):
        swapped[name].values = found[name].values[::-1]
    said = plateau.findings(swapped)
    assert "not every adaptive rule leaves before every linear one: sgd takes" in said[1]
    rows = plateau.tables(found)[0].rows
    assert [row[0] for row in rows] == ["sgd", "rmsprop"]
    assert rows[0][4] == str(first_passage("sgd", 4.0, 1.0))


def test_a_rule_that_never_leaves_is_said(tmp_path):
    stuck = ol.experiments.plateau(rules=["sgd"], starts=[6.0], noises=[0.0], alphas=[0.1], steps=100, store=tmp_path)
    assert stuck.outcome.values.ravel().tolist() == ["not left"]
    assert plateau.tables(stuck)[0].rows[0][1] == "none settles"
    assert "no rule leaves" in plateau.findings(stuck)[0]
    assert draw(stuck).axes


def test_the_figure_names_every_rule(found):
    texts = [text.get_text() for text in draw(found).axes[1].get_legend().get_texts()]
    assert {"sgd, α = 1", "rmsprop, α = 0.1"} <= set(texts)
